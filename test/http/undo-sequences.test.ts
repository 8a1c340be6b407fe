import assert from 'node:assert/strict'
import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import { runs } from '../lengths.ts'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'
import { openActing, said } from './moderator.ts'

type Json = Record<string, any>

const ARTICLES = ['a', 'b', 'c']
const STATUSES = ['approved', 'pending', 'rejected', 'spam', 'deleted']

/** Every row that moderators change, without versions and the record of who did what when. */
const dump = async ({ db }: TestService): Promise<Json> => {
  const { rows: comments } = await sql<Json>`
    select c.id, c.thread_id, c.home_thread_id, c.parent_id, c.parent_home_thread_id, c.status, c.depth,
      c.pinned, c.locked, c.shadowed, c.published_at, c.flag_count, to_jsonb(k) as tally
    from comments c
    join comment_tallies k on (k.site_id, k.thread_id, k.comment_id) = (c.site_id, c.thread_id, c.id)
    order by c.id`.execute(db)
  const { rows: threads } = await sql<Json>`
    select to_jsonb(t) - 'version' as thread from threads t order by id`.execute(db)
  const { rows: bans } = await sql<Json>`
    select id, effect, reason, note, expires_at from bans where lifted_at is null order by id`.execute(
    db,
  )
  return { comments, threads, bans }
}

const anAct = fc.record({
  kind: fc.constantFrom('decide', 'decide', 'move', 'move', 'merge', 'thread', 'ban', 'mark'),
  one: fc.nat(),
  other: fc.nat(),
  isRedone: fc.boolean(),
})

type Act = { readonly kind: string; readonly one: number; readonly other: number }

/** Two branches and a single comment in each of two threads; the third thread has no comment. */
const plant = async (service: TestService): Promise<Json[]> => {
  const { send } = openActing(service)
  for (const article of ARTICLES) await send('PATCH', `/articles/${article}`, { title: article })
  await sql`update threads set created_at = now() - id * interval '10 days'`.execute(service.db)
  const all: Json[] = []
  for (const article of ['a', 'b']) {
    const root = await service.post(article, `root ${article}`)
    const reply = await service.post(article, `reply ${article}`, { parent_id: root.id })
    const nested = await service.post(article, `nested ${article}`, { parent_id: reply.id })
    all.push(root, reply, nested, await service.post(article, `other ${article}`))
  }
  const shadowed = all.at(-1)!
  await service.decide(shadowed.id, 'approved', 'rejected')
  await sql`update comments set shadowed = status = 'rejected'`.execute(service.db)
  return all
}

/** Does one thing that moderators do; what is refused changes nothing. */
const createActor = (service: TestService, comments: readonly Json[]) => {
  const { send } = openActing(service)
  const bans: string[] = []
  const at = <T>(list: readonly T[], n: number): T => list[n % list.length]!
  const decide = async ({ one, other }: Act) => {
    const { id } = at(comments, one)
    const { body } = await service.get(`/comments/${id}`, { token: service.adminKey })
    const more = { replies: other % 2 ? 'same' : 'keep' }
    return service.decide(id, body.status, at(STATUSES, other), more)
  }
  const move = ({ one, other }: Act) => {
    const parent = other % 3 === 0 ? null : at(comments, other).id
    const place = { article_id: at(ARTICLES, one + other), parent_id: parent, publish: true }
    return send('POST', `/comments/${at(comments, one).id}/moves`, place)
  }
  const merge = ({ one, other }: Act) => {
    const body = { into: at(ARTICLES, one + 1 + (other % 2)), publish: true }
    return send('POST', `/articles/${at(ARTICLES, one)}/merges`, body)
  }
  const thread = ({ one, other }: Act) => {
    const changes = [
      ...['open', 'closed', 'locked', 'hidden'].map((state) => ({ state })),
      { closes_at: '2020-01-01T00:00:00.000Z' },
      { title: `title ${other % 3}` },
      { slow_mode_seconds: other % 60, moderation: 'pre' },
      { state: 'closed', title: null },
    ]
    return send('PATCH', `/articles/${at(ARTICLES, one)}`, at(changes, other))
  }
  const ban = async ({ one, other }: Act) => {
    if (bans.length === 0 || one % 3 === 0) {
      const asked = { kind: 'author', value: at(comments, other).author.id, effect: 'block' }
      const answer = await send('POST', '/moderation/bans', asked)
      if (answer.status === 201) bans.push(answer.body.id ?? answer.body.ban.id)
      return answer
    }
    const path = `/moderation/bans/${at(bans, other)}`
    return one % 3 === 1
      ? send('DELETE', path)
      : send('PATCH', path, {
          effect: at(['block', 'hold', 'shadow'], other),
          note: `${other % 2}`,
        })
  }
  const mark = ({ one, other }: Act) => {
    const [path, field] = one % 3 === 0 ? ['pin', 'pinned'] : ['lock', 'locked']
    return send('PUT', `/comments/${at(comments, other).id}/${path}`, { [field!]: one % 4 > 0 })
  }
  const doers: Record<string, (act: Act) => Promise<unknown>> = {
    decide,
    move,
    merge,
    thread,
    ban,
    mark,
  }
  return (act: Act) => doers[act.kind]!(act)
}

t.test(
  'acts undone in reverse order restore every row, however often they are redone',
  async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.array(anAct, { minLength: 4, maxLength: 16 }), async (acts) => {
        const service = await openService(t)
        const { decisions, undo } = openActing(service)
        const latest = async () =>
          (await decisions()).find(({ caused_by: cause }) => cause === null)
        const act = createActor(service, await plant(service))
        const done: { kind: string; id: string; before: Json; after: Json; isRedone: boolean }[] =
          []
        for (const one of acts) {
          const [before, last] = [await dump(service), await latest()]
          await act(one)
          const id = (await latest())?.id
          if (id === last?.id) continue
          done.push({ ...one, id, before, after: await dump(service) })
        }
        const check = async (id: string, expected: string, rows: Json) => {
          const answer = await undo(id)
          assert.equal(said(answer), expected)
          const [now, differences] = [await dump(service), await recount(service.db)]
          assert.deepEqual(now, rows)
          assert.deepEqual(differences, [])
          const { comments = 1, settings = 0 } = answer.body.restored ?? {}
          assert.ok(comments + settings > 0)
          return answer.body.id
        }
        for (const { id, before, after, isRedone } of done.toReversed()) {
          const changes = JSON.stringify(before) !== JSON.stringify(after)
          const undone = await check(id, changes ? '201' : '409 decision_conflict', before)
          if (isRedone && changes) await check(await check(undone, '201', after), '201', before)
        }
      }),
      { numRuns: runs(4, 20), endOnFailure: true },
    )
  },
)
