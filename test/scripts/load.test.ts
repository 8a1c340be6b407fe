import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type RawBuilder, sql } from 'kysely'
import t from 'tap'
import { createClient } from '../../scripts/load/client.ts'
import { threadToken } from '../../src/domain/cache-tokens.ts'
import type { TestService } from '../service.ts'
import { countRows, type Line, makeLines, openListening, writeLines } from './run-load.ts'

t.test('npm run load: loaded comments come back as in the file', async (t) => {
  const { service, load } = await openListening(t)
  const file = await writeLines(t, makeLines(3, 40))
  const first = await load(file)
  t.match(first, { code: 0, err: '' })
  t.match(first.out, /\b120 of 120 posted/)
  t.match(first.out, /\b120 of 120 came back/)
  t.match(first.out, /^Loading: 12 of 120\n/, 'a line for every 10 %')
  t.equal(await countRows(service), 120)
})

t.test('npm run load posts a parent before a reply that precedes it in the file', async (t) => {
  const { load } = await openListening(t)
  const { code, out } = await load(await writeLines(t, makeLines(1, 12).reverse()))
  t.equal(code, 0)
  t.match(out, /\b12 of 12 came back/)
})

t.test('npm run load reports one changed character as one difference and fails', async (t) => {
  const { service, load } = await openListening(t)
  const file = await writeLines(t, makeLines(1, 20))
  await load(file)
  await tamper(service, 9, sql`body = body || ' '`)
  const { code, out, err } = await load(file, '--verify-only')
  t.equal(code, 1)
  t.match(out, /^19 of 20 came back/m)
  t.equal(err, linesOf('#9: body differs in the tree view', '#9: body differs in the flat view'))
  t.equal(await countRows(service), 20)
})

t.test('npm run load names every other changed field', async (t) => {
  const { service, load } = await openListening(t)
  const file = await writeLines(t, makeLines(1, 20))
  await load(file)
  await tamper(service, 3, sql`author_id = (select max(id) from authors)`)
  await tamper(service, 7, sql`created_at = created_at - interval '1 hour'`)
  await tamperTally(service, 7, sql`created_at = created_at - interval '1 hour'`)
  await tamper(service, 15, sql`status = 'spam'`)
  await tamperTally(service, 15, sql`is_visible = false`)
  await tamper(service, 13, sql`depth = 3`)
  const { code, err } = await load(file, '--verify-only')
  t.equal(code, 1)
  t.match(err, '#3: author url differs in the flat view')
  t.match(err, '#1: is too late in the tree view')
  t.match(err, '#6: is too late in the flat view')
  t.match(err, '#15: is not in the tree view, or below another parent')
  t.match(err, /c[\w-]{22} speaks of 6 more replies and has 5/)
  t.match(err, '#13: depth differs in the flat view')
})

t.test('npm run load names missing and surplus comments and wrong counts', async (t) => {
  const { service, load } = await openListening(t)
  const lines = makeLines(1, 20)
  await load(await writeLines(t, lines))
  await service.post(lines[0]!.article_id, 'Nobody wrote this.')
  await sql`update threads set root_count = 2`.execute(service.db)
  await changeVersions(service)
  const more = { ...lines[0]!, ref: 21, body: 'Nobody posted this.' }
  const file = await writeLines(t, [...lines, more, { ...more, ref: 22, parent_ref: 21 }])
  const { code, out, err } = await load(file, '--verify-only')
  t.equal(code, 1)
  t.match(out, /^20 of 22 came back/m)
  t.match(err, '#21: body differs in the tree view')
  t.match(err, '#22: is not in the flat view, or below another parent')
  t.match(err, 'getThread counts 21 and 2 roots, not 22 and')
})

t.test('npm run load names a refusal and continues with other articles', async (t) => {
  const { service, load } = await openListening(t)
  const lines = makeLines(2, 5)
  await service.call(
    'PATCH',
    `/v1/sites/default/articles/${encodeURIComponent(lines[0]!.article_id)}`,
    {
      token: service.adminKey,
      body: { state: 'closed' },
    },
  )
  const { code, out, err } = await load(await writeLines(t, lines))
  t.equal(code, 1)
  t.match(err, /^article 0\/ä\? #1 was refused: 409 thread_closed/)
  t.match(out, /^5 of 10 posted/m)
  t.match(out, /^5 of 10 came back/m)
})

t.test('npm run load waits for rate limits and retries passing errors', async (t) => {
  const answers = [
    { status: 429, headers: { 'retry-after': '1' }, body: { code: 'rate_limited' } },
    { status: 503, headers: { 'retry-after': '0' }, body: { code: 'unavailable' } },
    undefined,
    { status: 409, headers: {}, body: { code: 'idempotency_in_flight' } },
    { status: 201, headers: {}, body: { id: 'c1-1' } },
    { status: 409, headers: {}, body: { code: 'thread_closed' } },
  ]
  const keys: unknown[] = []
  const server = createServer((request, response) => {
    keys.push(request.headers['idempotency-key'])
    const answer = answers.shift()
    if (!answer) return void request.socket.destroy()
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
    response.end(JSON.stringify(answer.body))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const client = createClient(`http://127.0.0.1:${port}`, 'default', 'a key')
  const begun = Date.now()
  const answer = await client.post('/articles/a/comments', {}, 'the same key each time')
  t.equal(answer.body.id, 'c1-1')
  t.ok(Date.now() - begun >= 1000, 'as long as Retry-After says')
  t.strictSame(keys, Array(5).fill('the same key each time'))
  await t.rejects(client.post('/articles/a/comments', {}, 'another key'), {
    message: /^409 thread_closed/,
  })
})

t.test('npm run load refuses an invalid file before it sends anything', async (t) => {
  const { service, load } = await openListening(t)
  const [line] = makeLines(1, 1)
  const wrong: [Line[], RegExp][] = [
    [[{ ...line!, parent_ref: 7 }], /#1 replies to what is not there/],
    [[line!, line!], /#1 is there twice/],
    [[line!, { ...line!, body: 1 }], /Line 2: author_name and body must be texts/],
  ]
  for (const [lines, message] of wrong) {
    const { code, err } = await load(await writeLines(t, lines))
    t.equal(code, 1)
    t.match(err, message)
  }
  t.equal(await countRows(service), 0)
})

/** Changes a row behind the service's back. */
const tamper = async (service: TestService, ref: number, change: RawBuilder<unknown>) => {
  await sql`update comments set ${change}
    where id = (select id from comments order by id offset ${ref - 1} limit 1)`.execute(service.db)
  await changeVersions(service)
}

/** Changes what sorts and shows the comment. */
const tamperTally = async (service: TestService, ref: number, change: RawBuilder<unknown>) => {
  await sql`update comment_tallies set ${change}
    where comment_id = (select id from comments order by id offset ${ref - 1} limit 1)`.execute(
    service.db,
  )
  await changeVersions(service)
}

/** Tells the cache that something has changed. */
const changeVersions = async ({ db, cacheTokens: tokens }: TestService) => {
  const { rows } = await sql<{ id: number }>`
    update threads set version = version + 1 returning id`.execute(db)
  await tokens.invalidate(rows.map(({ id }) => threadToken(1, id)))
}

const linesOf = (...faults: string[]) => faults.map((fault) => `article 0/ä? ${fault}\n`).join('')
