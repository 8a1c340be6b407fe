import { sql } from 'kysely'
import t from 'tap'
import type { StaffCaller } from '../../../src/domain/people/caller.ts'
import { findSite } from '../../../src/postgres/service/sites.ts'
import { mergeThreads } from '../../../src/usecases/moving/merge-threads.ts'
import { said } from '../../http/moderator.ts'
import { IDS } from '../../ids.ts'
import { runJobs } from '../../jobs.ts'
import type { TestService } from '../../service.ts'
import { until } from '../../start.ts'
import { recountAll } from '../large-batch.ts'
import { countVisible, openMerging, print, seeded } from './large-merge.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'
const MODERATOR: StaffCaller = { kind: 'key', keyId: 1, siteId: null, scope: 'admin' }
const NEVER = new AbortController().signal

/** Lets a job do this many steps. */
const steps = (number: number): AbortSignal => {
  let looks = 0
  return {
    get aborted() {
      return looks++ > number
    },
  } as AbortSignal
}

/** Starts a merge of `a` into another thread on a node that runs no jobs by itself. */
const startMerge = async (service: TestService, into = 'b', publish = false) => {
  const idle = { ...service, kick: () => {} }
  const order = { articleId: 'a', into, publish, reason: null, note: null }
  const site = (await findSite(service.db, 'default'))!
  const request = { site, moderator: MODERATOR, idempotencyKey: undefined, ...order }
  const merged = await mergeThreads(idle, request, (result) => result)
  if (!('batch' in merged)) throw new Error('the merge is no batch')
  return {
    id: IDS.write('batch', merged.batch.id),
    run: (signal: AbortSignal = NEVER) => runJobs(idle, 'run_batch', signal),
  }
}

t.test('mergeThreads moves a large thread as a batch, whose undo moves it back', async (t) => {
  const { service, send, merge, undoBatch, undoDecision, ended } = await openMerging(t, {
    comments: 6_000,
    branch: 12,
  })
  const before = await print(service)
  const { a, b } = (await countVisible(service)) as { a: number; b: number }
  const { status, body } = await merge('a', 'b', { note: 'one article' })
  t.equal(status, 202)
  t.match(body, { kind: 'merge', to: null, total: 6_000, done: 0, changed: 0, ended_at: null })
  t.equal(said(await merge('a', 'c')), '409 move_not_allowed', 'while the merge runs')
  t.equal(said(await merge('c', 'a')), '404 not_found')
  const late = { body: { body: 'late', author: { name: 'Ada' } } }
  const posted = await service.call('POST', `${SITE}/articles/a/comments`, late)
  t.equal(said(posted), '409 thread_closed')
  const batch = await until('the merge to end', async () => {
    const now = await countVisible(service)
    t.equal(now.a! + now.b!, a + b, 'every comment is in one of the threads')
    return ended(body.id)
  })
  t.match(batch, { total: 6_000, done: 6_000, changed: 6_000, outcomes: { changed: 6_000 } })
  t.same(await countVisible(service), { b: a + b, a: 0 })
  t.match((await service.get('/articles/a')).body, { state: 'closed' })
  t.match((await service.get(`/comments/${seeded(1)}`)).body, {
    article_id: 'b',
    parent_id: seeded(0),
    upvotes: 1,
  })
  t.same(await recountAll(service), [])

  const log = await send('GET', `/moderation/decisions?batch_id=${body.id}&limit=100`)
  t.match(log.body.items[0], { action: 'move', note: 'one article', before: { article_id: 'a' } })
  const { rows } = await sql<Json>`
    select min(id) as id, count(*) as number, count(comment_id) as roots, count(caused_by) as caused
    from decisions where batch_id is not null`.execute(service.db)
  t.match(rows, [{ number: 501, roots: 500, caused: 500 }])
  const decision = IDS.write('decision', rows[0]!.id)
  t.equal(said(await undoDecision(decision)), '409 move_not_allowed')

  const undone = await undoBatch(body.id)
  t.equal(undone.status, 202)
  t.match(undone.body, { batch: { kind: 'undo', undoes: body.id, total: 6_000 }, items: [] })
  t.equal(said(await undoBatch(body.id)), '409 decision_conflict')
  t.match(await until('the undo to end', () => ended(undone.body.batch.id)), { changed: 6_000 })
  t.same(await print(service), before)
  t.same(await recountAll(service), [])
})

t.test('a merge continues where a node left it, and no step runs twice', async (t) => {
  const { service, findBatch } = await openMerging(t, { comments: 6_000, branch: 700 })
  const { id, run } = await startMerge(service, 'new')
  await run(steps(1))
  t.match(await findBatch(id), { done: 700, changed: 700, ended_at: null }, 'whole branches')
  t.same(await countVisible(service), { b: 1, a: 4_770, new: 630 })
  t.same(await recountAll(service), [])
  const reply = await service.post('new', 'to a moved root', { parent_id: seeded(0) })
  t.match(reply, { status: 'approved', parent_id: seeded(0) })
  await Promise.all([run(), run(), run()])
  await run()
  t.match(await findBatch(id), { done: 6_000, changed: 6_000, outcomes: { changed: 6_000 } })
  t.same(await countVisible(service), { b: 1, a: 0, new: 5_401 })
  t.same(await recountAll(service), [])
})

t.test('a merge moves a branch that is larger than a step as a whole', async (t) => {
  const { service, findBatch } = await openMerging(t, { comments: 6_000, branch: 3_000 })
  const { id, run } = await startMerge(service)
  await run(steps(1))
  t.match(await findBatch(id), { done: 3_000, ended_at: null })
  t.same(await recountAll(service), [])
})

t.test('a merge ends early if it would publish comments of a thread hidden since', async (t) => {
  const { service, send, findBatch, undoBatch, ended } = await openMerging(t, {
    comments: 6_000,
    branch: 500,
  })
  const before = await print(service)
  const { id, run } = await startMerge(service)
  await run(steps(1))
  await send('PATCH', '/articles/a', { state: 'hidden' })
  await run()
  t.match(await findBatch(id), {
    total: 6_000,
    done: 6_000,
    changed: 1_000,
    outcomes: { changed: 1_000, move_not_allowed: 5_000 },
  })
  await send('PATCH', '/articles/a', { state: 'closed' })
  const undo = await undoBatch(id)
  await until('the undo to end', () => ended(undo.body.batch.id))
  t.same(await print(service), before)
})

t.test('a merge ends early if its target is deleted', async (t) => {
  const { service, send, findBatch } = await openMerging(t, { comments: 6_000, branch: 500 })
  const { id, run } = await startMerge(service, 'new')
  await run(steps(1))
  await send('POST', '/articles/new/deletions', { expected_count: 1_000 })
  await run()
  t.match(await findBatch(id), { changed: 1_000, outcomes: { changed: 1_000, not_found: 5_000 } })
  t.same(await countVisible(service).then(({ a }) => a), 4_500)
})

t.test('writes beside a large merge keep every count true', async (t) => {
  const { service, send, merge, ended } = await openMerging(t, { comments: 6_000, branch: 40 })
  const own: Json[] = []
  for (let n = 0; n < 10; n++)
    own.push(await service.post('a', `own ${n}`, { parent_id: seeded(40 * n) }))
  const token = own[0]!.guest_token
  const vote = (n: number) =>
    service.call('PUT', `${SITE}/comments/${seeded(n)}/vote`, { token, body: { value: -1 } })
  const edit = (n: number) => {
    const { id, guest_token: token } = own[n % 10]!
    const body = { body: `edited ${n}` }
    return service.call('PATCH', `${SITE}/comments/${id}`, { token, body })
  }
  const post = (article: string, n: number) => {
    const body = { body: `${article} ${n}`, author: { name: 'Ada' }, parent_id: seeded(40 * n) }
    return service.call('POST', `${SITE}/articles/${article}/comments`, { body })
  }
  const decide = (n: number) =>
    send('POST', `/comments/${seeded(n)}/decisions`, { from: 'approved', to: 'spam' })
  const { body } = await merge('a', 'b')
  const seen = new Map<string, number>()
  const note = (act: string, word: string) =>
    seen.set(`${act} ${word}`, (seen.get(`${act} ${word}`) ?? 0) + 1)
  let n = 0
  const write = async (): Promise<void> => {
    while (!(await ended(body.id))) {
      n++
      const at = (n * 371) % 5_990
      const acts = {
        vote: vote(at - (at % 10)),
        edit: edit(n),
        late: post('a', n % 150),
        reply: post('b', n % 150),
        decision: decide(at - (at % 10) + 1),
      }
      for (const [act, result] of Object.entries(acts)) note(act, said(await result))
    }
  }
  await Promise.all([write(), write(), write()])
  t.same(await recountAll(service), [])
  // A write may wait for the merge until it is refused, which leaves nothing behind.
  const answered = [...seen.keys()].filter((key) => !key.endsWith(' 503 unavailable'))
  t.same(
    answered.filter((key) => !EXPECTED.has(key)),
    [],
  )
  for (const act of ['vote 200', 'edit 200', 'decision 201']) t.ok(seen.has(act), act)
  t.match(await until('the batch', () => ended(body.id)), { outcomes: { unchanged: 0 } })
  const { rows } = await sql<Json>`
    select count(*) as left from comments where thread_id = 2`.execute(service.db)
  t.same(rows, [{ left: 0 }])
})

const EXPECTED = new Set([
  'vote 200',
  'edit 200',
  'late 409 thread_closed',
  'reply 201',
  'reply 422 parent_not_found',
  'decision 201',
  'decision 409 decision_conflict',
])
