import { sql } from 'kysely'
import t from 'tap'
import { insertSite } from '../../../src/postgres/service/sites.ts'
import { exportSite } from '../../../src/usecases/exporting/export-site.ts'
import { restoreExport } from '../../../src/usecases/importing/restore-export.ts'
import { runs } from '../../lengths.ts'
import { openSignOn, signToken } from '../../members.ts'
import { recount } from '../../recount.ts'
import { openService, type TestService } from '../../service.ts'
import { fillSite, rememberForeignIds } from '../exporting/lively-site.ts'

type Json = Record<string, any>

const addSite = async (service: TestService, slug: string) =>
  (await insertSite(service.db, { slug, name: 'Empty' }))!

const linesOf = async (service: TestService, slug = 'default'): Promise<string[]> => {
  const site = (await service.sites.find(slug))!
  const lines: string[] = []
  for await (const line of await exportSite(service, { site, by: 'operator' }))
    lines.push(JSON.stringify(line))
  return lines
}

/** The lines in batches, up to the first that is not sent. */
async function* send(lines: readonly string[], size = 100): AsyncGenerator<unknown[]> {
  for (let at = 0; at < lines.length; at += size)
    yield lines.slice(at, at + size).map((line) => JSON.parse(line))
}

const restore = (
  service: TestService,
  siteId: number,
  lines: readonly string[],
  { dryRun = false, size = 100 } = {},
) =>
  restoreExport(
    service,
    { site: { id: siteId }, importId: 1, dryRun, originOverride: null },
    send(lines, size),
    async () => {},
  )

/** The first differences, which are easier to read than two whole exports. */
const differences = (one: readonly string[], other: readonly string[]) =>
  one.flatMap((line, n) => (line === other[n] ? [] : [[line, other[n]]])).slice(0, 3)

t.test('an export of a restored site has the same bytes', async (t) => {
  for (let seed = 1; seed <= runs(2, 10); seed++) {
    const service = await openService(t)
    await fillSite(service, { seed, acts: 150 })
    await rememberForeignIds(service, 1)
    const lines = await linesOf(service)
    const { id } = await addSite(service, 'copy')
    const report = await restore(service, id, lines)
    t.equal(
      report.comments.created,
      lines.filter((line) => line.startsWith('{"kind":"comment"')).length,
    )
    const copied = await linesOf(service, 'copy')
    t.same(differences(lines, copied), [], `seed ${seed}`)
    t.equal(copied.length, lines.length)
    t.same(await recountOf(service), [])

    const again = await restore(service, id, lines)
    t.match(again.comments, { created: 0, unchanged: report.comments.created })
    t.same(differences(lines, await linesOf(service, 'copy')), [])

    const third = await addSite(service, 'third')
    await restore(service, third.id, copied)
    t.same(differences(lines, await linesOf(service, 'third')), [], 'a copy of a copy')
  }
})

/** Votes of another system have no rows, so that they are not counted. */
const recountOf = (service: TestService) => recount(service.db)

t.test('a restoration that was killed continues to the same bytes', async (t) => {
  const service = await openService(t)
  await fillSite(service, { seed: 5, acts: 150 })
  const lines = await linesOf(service)
  const { id } = await addSite(service, 'copy')
  for (let run = 1; run <= 4; run++) {
    const end = Math.floor((lines.length * run) / 5)
    const killed = async function* () {
      yield* send(lines.slice(0, end), 7)
      throw new Error('killed')
    }
    const request = { site: { id }, importId: 1, dryRun: false, originOverride: null }
    await t.rejects(
      restoreExport(service, request, killed(), async () => {}),
      { message: 'killed' },
    )
  }
  await restore(service, id, lines)
  t.same(differences(lines, await linesOf(service, 'copy')), [])
  t.same(await recountOf(service), [])
})

t.test('a restored site shows its readers what the site of the export shows', async (t) => {
  const service = await openService(t)
  await fillSite(service, { seed: 11, acts: 150 })
  const { id } = await addSite(service, 'copy')
  await restore(service, id, await linesOf(service))
  const read = async (slug: string) => {
    const path = `/v1/sites/${slug}/articles/a/comments?view=flat&limit=100&sort=oldest`
    const { body } = await service.call('GET', path)
    return body.items.map((one: Json) => [
      one.body,
      one.body_html,
      one.author.name,
      one.score,
      one.reply_count,
      one.depth,
    ])
  }
  const copied = await read('copy')
  t.ok(copied.length > 5)
  t.same(copied, await read('default'))
})

t.test('the export of a site changes nothing in the site itself', async (t) => {
  const service = await openService(t)
  await fillSite(service, { seed: 2, acts: 80 })
  const lines = await linesOf(service)
  t.match(await restore(service, 1, lines), { comments: { created: 0 }, authors: { created: 0 } })
  t.same(differences(lines, await linesOf(service)), [])
})

t.test(
  'a site with comments of its own takes the comments of an export, but no rights, members and settings',
  async (t) => {
    const service = await openService(t)
    await fillSite(service, { seed: 9, acts: 150 })
    await service.post(
      'own',
      'a comment of a moderator',
      {},
      {
        token: await signToken({ sub: 'mod', name: 'Grace', role: 'moderator' }),
      },
    )
    const lines = await linesOf(service)
    const copy = await addSite(service, 'copy')
    await openSignOn(service, 'copy')
    const posted = await service.call('POST', '/v1/sites/copy/articles/a/comments', {
      body: { body: 'mine', author: { name: 'Mary' } },
    })
    t.equal(posted.status, 201)
    const report = await restore(service, copy.id, lines)
    const { rows } = await sql<Json>`
    select count(*) filter (where kind = 'member') as members, count(*) filter (where role <> 'reader') as staff,
      count(*) filter (where listed) as listed
    from authors where site_id = ${copy.id}`.execute(service.db)
    t.same(rows[0], { members: 0, staff: 0, listed: 0 })
    t.equal(
      (await service.call('GET', '/v1/sites/copy', { token: service.adminKey })).body.name,
      'Empty',
    )
    t.same(await recountOf(service), [])
    const found = await service.call('GET', `/v1/sites/copy/comments/${posted.body.id}`)
    t.match(found, { status: 200, body: { body: 'mine', article_id: 'a' } })
    t.equal((await restore(service, copy.id, lines)).comments.created, 0)
    t.ok(report.comments.created > 10)
  },
)

t.test('a dry run says what the run then does, and stores nothing', async (t) => {
  const service = await openService(t)
  await fillSite(service, { seed: 4, acts: 60 })
  const lines = await linesOf(service)
  const { id } = await addSite(service, 'copy')
  const before = await linesOf(service, 'copy')
  const dry = await restore(service, id, lines, { dryRun: true })
  t.same(await linesOf(service, 'copy'), before)
  t.same(await restore(service, id, lines), dry)
})

t.test('a line that is not valid stops a restoration, with its number', async (t) => {
  const service = await openService(t)
  await service.post('a', 'text <b>bold</b>')
  const lines = await linesOf(service)
  const change = (kind: string, fields: Json) =>
    lines.map((line) => {
      const value = JSON.parse(line)
      return value.kind === kind ? JSON.stringify({ ...value, ...fields }) : line
    })
  const cases: [string[], RegExp][] = [
    [change('comment', { status: 'shown' }), /status: must be one of/],
    [change('comment', { body_html: '<script>' }), /"body_html" is not a field/],
    [change('comment', { parent_id: `c${'x'.repeat(22)}` }), /parent_id names no comment/],
    [change('comment', { author_id: `a${'x'.repeat(22)}` }), /author_id names no author/],
    [change('comment', { created_at: 'today' }), /created_at: must be a time/],
    [change('comment', { body: 'nul \0' }), /body: must be a text/],
    [change('comment', { facts: {} }), /facts and trace/],
    [change('author', { url: 'javascript:alert(1)' }), /url: must be a URL/],
    [change('author', { role: 'admin' }), /role: must be one of/],
    [change('thread', { article_id: '' }), /contradict/],
    [['{}', ...lines.slice(1)], /format: must be/],
    [['[]'], /must be an object/],
    [[...lines.slice(0, 2), '7'], /not an object/],
  ]
  for (const [n, [broken, message]] of cases.entries()) {
    const { id } = await addSite(service, `s${n}`)
    await t.rejects(restore(service, id, broken), { message, line: Number }, String(message))
  }
  const { id } = await addSite(service, 'kept')
  await restore(service, id, change('comment', { body: '<script>alert(1)</script>' }))
  const { body } = await service.call('GET', '/v1/sites/kept/articles/a/comments')
  t.notMatch(body.items[0].body_html, '<script')
})
