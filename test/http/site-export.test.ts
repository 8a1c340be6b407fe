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
import type { ImportRecord } from '../../src/domain/importing/records.ts'
import { openService, type TestService } from '../service.ts'
import { fillSite, rememberForeignIds } from '../usecases/exporting/lively-site.ts'
import { readAll } from '../workers/importing/reading.ts'

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

const exportAs = async (service: TestService, format: string): Promise<string> => {
  const options = { token: service.adminKey }
  const answer = await service.call('GET', `${EXPORT}?format=${format}`, options)
  t.match(answer, { status: 200, headers: { 'content-type': 'application/xml; charset=utf-8' } })
  return answer.text
}

/** Other systems have no comments without a text. */
const timeOf = (line: Record<string, any>): string | undefined =>
  line.body === '' ? undefined : line.created_at.slice(0, 19)

/** The comments of an export that another system has too, in the order of the export. */
const listExpected = (lines: Record<string, any>[], statusOf: Readonly<Record<string, string>>) => {
  const named = new Map(lines.map((line) => [line.id, line]))
  return lines
    .filter(({ kind, body, status }) => kind === 'comment' && body !== '' && status in statusOf)
    .map((line) => ({
      name: named.get(line.author_id)!.name,
      email: named.get(line.author_id)!.email,
      createdAt: `${line.created_at.slice(0, 19)}.000Z`,
      status: statusOf[line.status],
      parent: line.parent_id && timeOf(named.get(line.parent_id)!),
    }))
}

const listRead = (records: readonly ImportRecord[]) => {
  const comments = records.filter((record) => record.kind === 'comment')
  const times = new Map(comments.map(({ id, createdAt }) => [id, createdAt.slice(0, 19)]))
  return comments.map(({ author, createdAt, status, parentId }) => ({
    name: author.name,
    email: author.email,
    createdAt,
    status,
    parent: parentId && times.get(parentId),
  }))
}

t.test(
  'an export for WordPress is read back with its threads, authors, dates and statuses',
  async (t) => {
    const service = await openService(t)
    await fillSite(service, { seed: 6, acts: 120 })
    const lines = readLines((await exportDefault(service)).text)
    const { format, records } = await readAll(await exportAs(service, 'wxr'))
    t.equal(format, 'wxr')
    const statuses = {
      approved: 'approved',
      pending: 'pending',
      spam: 'spam',
      rejected: 'deleted',
      deleted: 'deleted',
    }
    const expected = listExpected(lines, statuses)
    t.ok(expected.length > 10)
    const read = listRead(records)
    t.same(read, expected)
  },
)

t.test('an export in the form of Disqus is read back without held comments', async (t) => {
  const service = await openService(t)
  const first = await service.post('https://a.example/1', 'one ]]> & <two> *three*')
  await service.post('https://a.example/1', 'a reply', { parent_id: first.id })
  const held = await service.post('b', 'held')
  await service.decide(held.id, 'approved', 'pending')
  const spam = await service.post('b', 'spam')
  await service.decide(spam.id, 'approved', 'spam')
  const { format, records } = await readAll(await exportAs(service, 'disqus'))
  t.equal(format, 'disqus')
  t.match(
    records.filter(({ kind }) => kind === 'comment'),
    [
      {
        body: 'one \\]\\]> & \\<two> *three*',
        status: 'approved',
        parentId: null,
        author: { name: 'Ada' },
      },
      { body: 'a reply', status: 'approved', parentId: String },
      { body: 'spam', status: 'spam', parentId: null },
    ],
  )
  t.match(
    records
      .filter(({ kind }) => kind === 'thread')
      .map((record) => 'address' in record && record.address),
    ['https://a.example/1', 'b'],
  )
})

t.test('an export that is never read gives its connection back', async (t) => {
  const service = await openService(t)
  const { writeExport } = await import('../../src/usecases/exporting/export-site.ts')
  const site = (await service.sites.find('default'))!
  for (let n = 0; n < 40; n++) {
    const pieces = await writeExport(service, { site, by: 'operator', format: 'jsonl' })
    await pieces.return(undefined)
  }
  t.equal((await exportDefault(service)).status, 200)
})
