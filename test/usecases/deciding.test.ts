import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import { isTransitionAllowed, STATUSES, type Status } from '../../src/domain/comment/status.ts'
import { asSeen } from '../http/moderator.ts'
import { IDS } from '../ids.ts'
import { runs } from '../lengths.ts'
import { recount } from '../recount.ts'
import { type Answer, openService, type TestService } from '../service.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'

const openActing = (service: TestService) => {
  const send = (path: string, body?: Json): Promise<Answer> =>
    service.call('POST', `${SITE}${path}`, { token: service.adminKey, body })
  return {
    decide: (id: string, body: Json) => send(`/comments/${id}/decisions`, { revision: 1, ...body }),
    decideMany: (body: Json) => send('/moderation/decisions', asSeen(body)),
    undo: (id: string) => send(`/moderation/decisions/${id}/undos`),
    undoBatch: (id: string) => send(`/moderation/batches/${id}/undos`),
  }
}

/** All that readers and moderators see of comments and threads, but for versions. */
const look = async (service: TestService): Promise<Json[]> => {
  const { rows } = await sql<Json>`
    select c.id, c.status, k.reply_count, k.upvotes, k.downvotes, c.pinned, c.locked, c.revision,
      c.published_at, c.edited_at, k.active_at, k.shown, k.score, k.best, k.hot, k.controversy, c.body,
      c.flag_count, (select count(*) from flags f where f.comment_id = c.id and f.resolved_at is null),
      t.title, t.url, t.state, t.comment_count, t.root_count, t.last_comment_at
    from comments c join threads t on t.id = c.thread_id
    join comment_tallies k on k.comment_id = c.id order by c.id`.execute(service.db)
  return rows
}

const statusOf = async (service: TestService, id: string): Promise<Status> => {
  const { rows } = await sql<{ status: Status }>`
    select status from comments where id = ${IDS.readComment(id)!.id}`.execute(service.db)
  return rows[0]!.status
}

t.test('decideComment makes every allowed transition of status, and no other', async (t) => {
  const service = await openService(t)
  const { decide, decideMany } = openActing(service)
  const arrive = async (from: Status): Promise<string> => {
    const { id } = await service.post('a', 'x')
    if (from !== 'approved') await decide(id, { from: 'approved', to: from })
    return id
  }
  for (const from of STATUSES)
    for (const to of STATUSES) {
      const [one, other] = [await arrive(from), await arrive(from)]
      const single = await decide(one, { from, to })
      const expected = from === to ? 400 : isTransitionAllowed(from, to) ? 201 : 409
      t.equal(single.status, expected, `${from} to ${to}`)
      t.equal(await statusOf(service, one), expected === 201 ? to : from)
      const { body } = await decideMany({ comment_ids: [other], to })
      const outcome =
        from === to ? 'unchanged' : isTransitionAllowed(from, to) ? 'changed' : 'move_not_allowed'
      t.equal(body.items[0].outcome, outcome, `${from} to ${to} among many`)
      t.equal(await statusOf(service, other), outcome === 'changed' ? to : from)
    }
  t.same(await recount(service.db), [])
})

type Act = { isMany: boolean; picks: number[]; to: Status; replies: 'keep' | 'same' }

const acts = fc.array(
  fc.record<Act>({
    isMany: fc.boolean(),
    picks: fc.array(fc.nat(), { minLength: 1, maxLength: 4 }),
    to: fc.constantFrom(...STATUSES),
    replies: fc.constantFrom('keep', 'same'),
  }),
  { minLength: 1, maxLength: 6 },
)

t.test('decisions on any tree, undone in reverse, restore the tree', async (t) => {
  const service = await openService(t)
  const { decide, decideMany, undo, undoBatch } = openActing(service)
  const { guest_token: token } = (
    await service.call('POST', `${SITE}/guests`, { body: { name: 'A' } })
  ).body
  let trees = 0
  const plant = async (parents: readonly number[]): Promise<string[]> => {
    const ids: string[] = []
    const article = `tree-${trees++}`
    for (const parent of parents) {
      const parent_id = ids[parent % (ids.length + 1)]
      ids.push((await service.post(article, 'x', parent_id ? { parent_id } : {})).id)
    }
    const body = { reason: 'spam' }
    await service.call('POST', `${SITE}/comments/${ids[0]}/flags`, { token, body })
    return ids
  }
  /** @returns how to take it back; undefined when it was refused */
  const run = async (ids: string[], { isMany, picks, to, replies }: Act) => {
    const comment_ids = [...new Set(picks.map((pick) => ids[pick % ids.length]!))]
    if (isMany) {
      const { body } = await decideMany({ comment_ids, to, replies })
      return async () => (await undoBatch(body.batch.id)).status
    }
    const from = await statusOf(service, comment_ids[0]!)
    const { status, body } = await decide(comment_ids[0]!, { from, to, replies })
    return status === 201 ? async () => (await undo(body.id)).status : undefined
  }
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(), { minLength: 1, maxLength: 9 }),
      acts,
      async (tree, all) => {
        const ids = await plant(tree)
        const undoing: { before: Json[]; back: () => Promise<number> }[] = []
        for (const act of all) {
          const before = await look(service)
          const back = await run(ids, act)
          if (back) undoing.push({ before, back })
        }
        for (const { before, back } of undoing.toReversed()) {
          if ((await back()) >= 300) return false
          t.same(await look(service), before)
        }
        t.same(await recount(service.db), [])
        return true
      },
    ),
    { numRuns: runs(3, 30) },
  )
})

t.test('of two moderators who decide one comment together, one succeeds', async (t) => {
  const service = await openService(t)
  const { decide, decideMany, undo, undoBatch } = openActing(service)
  const won = (answer: Answer): boolean =>
    'items' in answer.body ? answer.body.items[0].outcome === 'changed' : answer.status === 201
  type Racer = (id: string, last: Json) => Promise<Answer>
  const single: Racer = (id) => decide(id, { from: 'spam', to: 'approved' })
  const many: Racer = (id) =>
    decideMany({ comment_ids: [id], from: 'spam', to: 'rejected', replies: 'same' })
  const back: Racer = (_, { decision_id: id }) => undo(id)
  const backOfMany: Racer = (_, { batch_id: id }) => undoBatch(id)
  const pairs: [string, Racer, Racer][] = [
    ['two decisions', single, single],
    ['a decision and one on many', single, many],
    ['two on many', many, many],
    ['a decision and an undo', single, back],
    ['one on many and the undo of another', many, backOfMany],
    ['an undo of a decision and one of its batch', back, backOfMany],
    ['two undos', back, back],
    ['two undos of a batch', backOfMany, backOfMany],
  ]
  for (const [name, one, other] of pairs)
    for (let round = 0; round < 5; round++) {
      const { id } = await service.post('a', name)
      const { body } = await decideMany({ comment_ids: [id], from: 'approved', to: 'spam' })
      const last = { decision_id: body.items[0].decision_id, batch_id: body.batch.id }
      const answers = await Promise.all([one(id, last), other(id, last)])
      t.equal(answers.filter(won).length, 1, `${name}, round ${round}`)
      for (const { status, body } of answers)
        t.ok(status < 300 || body.code === 'decision_conflict')
    }
  t.same(await recount(service.db), [])
})

t.test(
  'decisions that cross in many threads do not deadlock, and each comment has one',
  async (t) => {
    const service = await openService(t)
    const { decideMany } = openActing(service)
    const ids: string[] = []
    for (let n = 0; n < 40; n++) ids.push((await service.post(`article-${n % 8}`, 'x')).id)
    const orders = [ids, ids.toReversed(), ids.toSorted()]
    const answers = await Promise.all(
      orders.map((comment_ids, n) =>
        decideMany({
          comment_ids,
          from: 'approved',
          to: (['spam', 'rejected', 'deleted'] as const)[n],
        }),
      ),
    )
    t.same(
      answers.map(({ status }) => status),
      [200, 200, 200],
    )
    const changed = answers.flatMap(({ body }) => body.outcomes.changed)
    t.equal(
      changed.reduce((sum, count) => sum + count, 0),
      40,
    )
    t.same(await recount(service.db), [])
  },
)
