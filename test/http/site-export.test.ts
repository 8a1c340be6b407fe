import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import t from 'tap'
import {
  findFaultOfHeader,
  findFaultOfLine,
  LINE_KINDS,
  LINES,
} from '../../src/domain/exporting/lines.ts'
import { openService, type TestService } from '../service.ts'
import { fillSite, rememberForeignIds } from '../usecases/exporting/lively-site.ts'

const EXPORT = '/v1/sites/default/export'

const readLines = (text: string): Record<string, any>[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

const exportDefault = (service: TestService) =>
  service.call('GET', EXPORT, { token: service.adminKey })

t.test(
  'an export has a line of every kind, each as it is described, and the same bytes again',
  async (t) => {
    const service = await openService(t)
    await fillSite(service, { seed: 7, acts: 250 })
    await rememberForeignIds(service, 1)
    const answer = await exportDefault(service)
    t.equal(answer.status, 200)
    t.equal(answer.headers['content-type'], 'application/x-ndjson; charset=utf-8')
    t.match(answer.headers['content-disposition'], 'default.jsonl')
    const [header, ...lines] = readLines(answer.text)
    t.equal(findFaultOfHeader(header), undefined)
    t.same(
      lines.filter((line) => findFaultOfLine(line)).map((line) => [findFaultOfLine(line), line]),
      [],
    )
    const kinds = new Set(lines.map(({ kind }) => kind))
    t.same(
      LINE_KINDS.filter((kind) => !kinds.has(kind)),
      [],
    )
    const fieldsOf = (kind: string) => Object.keys(LINES[kind as keyof typeof LINES]).join()
    t.same(
      lines.filter(({ kind, ...line }) => Object.keys(line).join() !== fieldsOf(kind)),
      [],
    )
    t.equal((await exportDefault(service)).text, answer.text)
  },
)

t.test('an export has no secret, no address and no number of a row', async (t) => {
  const service = await openService(t)
  await fillSite(service, { seed: 3, acts: 120 })
  const { text } = await exportDefault(service)
  t.notMatch(text, service.adminKey)
  t.notMatch(text, 'shared-with-us')
  t.notMatch(text, '127.0.0')
  t.notMatch(text, /"[a-z]+[a-z_]*(?:_id|by)":"[akcdbx][1-9a-z][0-9a-z]{0,3}"/)
  t.notMatch(text, /"[a-z_]*id":\d/)
})

t.test('an export shows one moment, whatever is written while it is read', async (t) => {
  const service = await openService(t)
  for (let n = 0; n < 4; n++) await service.post('a', `text ${n}`)
  const { exportSite } = await import('../../src/usecases/exporting/export-site.ts')
  const site = (await service.sites.find('default'))!
  const before = (await exportDefault(service)).text
  const lines = await exportSite(service, { site, by: 'operator' })
  const seen = [(await lines.next()).value]
  await service.post('a', 'later')
  await service.post('b', 'later, elsewhere')
  for await (const line of lines) seen.push(line)
  t.equal(seen.map((line) => `${JSON.stringify(line)}\n`).join(''), before)
})

t.test('an export that its reader leaves gives its connection back', async (t) => {
  const service = await openService(t)
  await service.post('a', 'text')
  const { exportSite } = await import('../../src/usecases/exporting/export-site.ts')
  const site = (await service.sites.find('default'))!
  const lines = await exportSite(service, { site, by: 'operator' })
  await lines.next()
  const countOpen = async () => {
    const { rows } = await sql<{ count: number }>`
      select count(*)::int as count from pg_stat_activity
      where datname = current_database() and state = 'idle in transaction'`.execute(service.db)
    return rows[0]!.count
  }
  t.equal(await countOpen(), 1)
  await lines.return(undefined)
  t.equal(await countOpen(), 0)
})

t.test('the audit log records an export', async (t) => {
  const service = await openService(t)
  await exportDefault(service)
  const { body } = await service.call('GET', '/v1/sites/default/audit', { token: service.adminKey })
  t.match(body.items[0], { action: 'site_exported', subject: 'default' })
})

t.test('docs/export.md describes every field of every kind of line', async (t) => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/export.md'), 'utf8')
  for (const [kind, fields] of Object.entries(LINES)) {
    const section = page.split(`### \`${kind}\``)[1]?.split('\n#')[0] ?? ''
    const described = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)
    t.same(described, Object.keys(fields), kind)
  }
})
