import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import type { Status } from '../../src/domain/comment/status.ts'
import type { Db } from '../../src/postgres/connection/db.ts'
import { IDS } from '../ids.ts'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'
import { openTwin } from '../twin.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'
const CLIENTS = 32
const RACE_MS = 10_000

type Reply = { status: number; body: Json; begun: number; ended: number }
type Send = (method: string, path: string, token?: string, body?: Json) => Promise<Reply>

/** Sends to two nodes in turn, over real sockets, and notes when. */
const openNodes = async (
  t: { teardown: (f: () => unknown) => void },
  service: TestService,
): Promise<Send> => {
  const apps = [service.app, await openTwin(t, service)]
  const origins = await Promise.all(apps.map((app) => app.listen({ port: 0, host: '127.0.0.1' })))
  let sent = 0
  return async (method, path, token, body) => {
    const begun = performance.now()
    const answer = await fetch(`${origins[sent++ % 2]}${SITE}${path}`, {
      method,
      headers: {
        ...(body && { 'content-type': 'application/json' }),
        ...(token && { authorization: `Bearer ${token}` }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    const ended = performance.now()
    return { status: answer.status, body: text ? JSON.parse(text) : {}, begun, ended }
  }
}

/** When a comment was hidden or shown: somewhere between the two. */
type Turn = { visible: boolean; begun: number; ended: number }
type Known = { id: string; token: string; parentId: string | null; begun: number; ended: number }
type Race = {
  send: Send
  adminKey: string
  comments: Known[]
  /** Acknowledged decisions, by id, and the author's own deletions. */
  decisions: Map<string, Turn>
  deletions: Map<string, Turn[]>
  answers: Map<string, number>
}

const pick = <T>(all: readonly T[]): T => all[Math.floor(Math.random() * all.length)]!
/** Mostly what is recent, so that writers meet. */
const pickComment = ({ comments }: Race): Known =>
  Math.random() < 0.7 ? pick(comments.slice(-20)) : pick(comments)

const post = async (race: Race, parent: Known | undefined, guest?: Known): Promise<Reply> => {
  const author = { name: `Guest ${Math.floor(Math.random() * 1_000)}` }
  const text = `text ${race.comments.length} ${Math.random()}`
  const body = { body: text, author, parent_id: parent?.id ?? null }
  const reply = await race.send('POST', '/articles/hot/comments', guest?.token, body)
  const { begun, ended } = reply
  if (reply.status === 201) {
    const token = guest?.token ?? reply.body.guest_token
    race.comments.push({ id: reply.body.id, token, parentId: parent?.id ?? null, begun, ended })
  }
  return reply
}

const decide = async (race: Race, from: Status, to: Status): Promise<Reply> => {
  const { id } = pickComment(race)
  const replies = pick(['keep', 'keep', 'same'])
  const reply = await race.send('POST', `/comments/${id}/decisions`, race.adminKey, {
    from,
    to,
    replies,
    ...(to === 'approved' && { revision: pick([1, 1, 1, 2]) }),
  })
  const turn = { visible: to === 'approved', begun: reply.begun, ended: reply.ended }
  if (reply.status === 201) race.decisions.set(reply.body.id, turn)
  return reply
}

const remove = async (race: Race): Promise<Reply> => {
  const { id, token } = pickComment(race)
  const reply = await race.send('DELETE', `/comments/${id}`, token)
  const turn = { visible: false, begun: reply.begun, ended: reply.ended }
  if (reply.status === 204) race.deletions.set(id, [...(race.deletions.get(id) ?? []), turn])
  return reply
}

const edit = (race: Race): Promise<Reply> => {
  const { id, token } = pickComment(race)
  return race.send('PATCH', `/comments/${id}`, token, { body: 'another text' })
}

/** Actions of a client, each as frequent as it is listed here. */
const ACTS: ((race: Race) => Promise<Reply>)[] = [
  (race) => post(race, undefined),
  (race) => post(race, undefined, pickComment(race)),
  (race) => post(race, pickComment(race)),
  (race) => post(race, pickComment(race)),
  (race) => post(race, pickComment(race)),
  (race) => post(race, pickComment(race), pickComment(race)),
  (race) => decide(race, 'approved', pick(['pending', 'spam', 'rejected', 'deleted'])),
  (race) => decide(race, pick(['pending', 'spam', 'rejected', 'deleted']), 'approved'),
  (race) => decide(race, 'spam', 'rejected'),
  remove,
  edit,
]

/** A write that waits for its locks too long is unavailable: on a busy machine, not because of a deadlock. */
const EXPECTED =
  /^(200|201|202|204|404 not_found|409 decision_conflict|409 move_not_allowed|422 parent_not_found|422 depth_exceeded|503 unavailable)$/

/** The deadlocks that Postgres has ended in this database. */
const countDeadlocks = async (db: Db): Promise<number> => {
  const { rows } = await sql<{ deadlocks: number }>`
    select deadlocks from pg_stat_database where datname = current_database()`.execute(db)
  return rows[0]!.deadlocks
}

const runClient = async (race: Race, until: number): Promise<void> => {
  while (performance.now() < until) {
    const { status, body } = await pick(ACTS)(race)
    const what = status < 400 ? `${status}` : `${status} ${body.code}`
    race.answers.set(what, (race.answers.get(what) ?? 0) + 1)
  }
}

/** Every turn of every comment, consequences included. */
const turnsOf = async (race: Race, service: TestService): Promise<Map<string, Turn[]>> => {
  const turns = new Map(race.deletions)
  for (let cursor = ''; ; ) {
    const { body } = await service.get(`/moderation/decisions?limit=100${cursor}`, {
      token: service.adminKey,
    })
    for (const { id, comment_id, caused_by } of body.items) {
      const turn = race.decisions.get(caused_by ?? id)
      if (turn) turns.set(comment_id, [...(turns.get(comment_id) ?? []), turn])
    }
    if (body.next_cursor === null) return turns
    cursor = `&cursor=${body.next_cursor}`
  }
}

/** Replies under a comment that was hidden before they were sent, and not shown again since. */
const acceptedUnderHidden = (race: Race, turns: Map<string, Turn[]>): Known[] =>
  race.comments.filter(({ parentId, begun, ended }) => {
    const all = turns.get(parentId ?? '') ?? []
    const hides = all.filter((turn) => !turn.visible && turn.ended < begun)
    const mayBeShownAfter = (hide: Turn) =>
      all.some((turn) => turn.visible && turn.ended > hide.begun && turn.begun < ended)
    return hides.some((hide) => !mayBeShownAfter(hide))
  })

t.test('32 clients in one thread on two nodes', async (t) => {
  const service = await openService(t)
  const send = await openNodes(t, service)
  const race: Race = {
    send,
    adminKey: service.adminKey,
    comments: [],
    decisions: new Map(),
    deletions: new Map(),
    answers: new Map(),
  }
  const { db } = service
  const deadlocks = await countDeadlocks(db)
  await post(race, undefined)
  const until = performance.now() + RACE_MS
  await Promise.all(Array.from({ length: CLIENTS }, () => runClient(race, until)))
  t.comment(Object.fromEntries(race.answers))

  t.test(
    '32 clients on two nodes get documented responses only, and never lock each other out',
    async (t) => {
      t.equal(await countDeadlocks(db), deadlocks)
      t.same(
        [...race.answers.keys()].filter((what) => !EXPECTED.test(what)),
        [],
      )
      for (const what of ['200', '201', '204', '409 decision_conflict', '422 parent_not_found']) {
        t.ok(race.answers.has(what), `${what} came up`)
      }
    },
  )

  t.test('32 clients on two nodes leave every count right', async (t) =>
    t.same(await recount(db), []),
  )

  t.test('32 clients on two nodes find every acknowledged comment at its place', async (t) => {
    const { rows } = await sql<{ id: number; parent: number }>`
      select id, parent_id as parent from comments order by id`.execute(db)
    const number = (id: string | null) => (id ? IDS.readComment(id)!.id : 0)
    const acknowledged = race.comments.map(({ id, parentId }) => ({
      id: number(id),
      parent: number(parentId),
    }))
    t.same(
      rows,
      acknowledged.sort((a, b) => a.id - b.id),
    )
  })

  t.test('32 clients on two nodes leave one decision row per acknowledged decision', async (t) => {
    const { rows } = await sql<{
      id: number
    }>`select id from decisions where caused_by is null`.execute(db)
    t.same(new Set(rows.map(({ id }) => IDS.write('decision', id))), new Set(race.decisions.keys()))
  })

  t.test('32 clients on two nodes add no reply below a hidden comment', async (t) => {
    const turns = await turnsOf(race, service)
    t.same(acceptedUnderHidden(race, turns), [])
    const late = { id: 'late', token: '', begun: performance.now(), ended: performance.now() }
    const hidden = [...turns].find(([, all]) => all.every((turn) => !turn.visible))!
    const control = { ...race, comments: [{ ...late, parentId: hidden[0] }] }
    t.equal(acceptedUnderHidden(control, turns).length, 1, 'and one would be found')
  })
})

t.test('guests who change their names in each other’s threads do not deadlock', async (t) => {
  const service = await openService(t)
  const send = await openNodes(t, service)
  const articles = ['x', 'y', 'z']
  const guests = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const { guest_token: token } = await service.post('x', 'text')
      for (const article of ['y', 'z']) await service.post(article, 'text', {}, { token })
      return token as string
    }),
  )
  const deadlocks = async (): Promise<number> => {
    const { rows } = await sql<{ deadlocks: number }>`
      select deadlocks from pg_stat_database where datname = current_database()`.execute(service.db)
    return rows[0]!.deadlocks
  }
  const before = await deadlocks()
  const rename = (n: number) => {
    const body = { body: `text ${n}`, author: { name: `Name ${n}` } }
    return send('POST', `/articles/${articles[n % 3]}/comments`, guests[n % 8], body)
  }
  const moderate = async (n: number) => {
    const { id } = await service.post(articles[n % 3]!, 'text')
    return send('POST', `/comments/${id}/decisions`, service.adminKey, {
      from: 'approved',
      to: 'spam',
    })
  }
  const statuses = new Set<number>()
  const runClient = async (client: number): Promise<void> => {
    for (let n = client; n < 120; n += 12)
      statuses.add((await (n % 4 === 3 ? moderate(n) : rename(n))).status)
  }
  await Promise.all(Array.from({ length: 12 }, (_, client) => runClient(client)))
  t.same(statuses, new Set([201]))
  t.equal(await deadlocks(), before, 'nor did any have to be tried again')
  t.same(await recount(service.db), [])
})

/** A comment as the model knows it; its place in the list is its age. */
type Modelled = {
  id: string
  token: string
  parent: number
  status: Status
  text: string
  isWithdrawn: boolean
  revision: number
  /** Whether a moderator took the present text from the public. */
  wasPublic: boolean
}
type Command =
  | { act: 'post' }
  | { act: 'reply'; to: number }
  | { act: 'decide'; on: number; status: Status; same: boolean }
  | { act: 'delete'; on: number; asModerator: boolean }
  | { act: 'edit'; on: number }

const index = fc.nat({ max: 99 })
const statuses = fc.constantFrom<Status>(
  'approved',
  'approved',
  'pending',
  'spam',
  'rejected',
  'deleted',
)
const commands: fc.Arbitrary<Command[]> = fc.array(
  fc.oneof(
    { weight: 1, arbitrary: fc.record({ act: fc.constant('post' as const) }) },
    { weight: 4, arbitrary: fc.record({ act: fc.constant('reply' as const), to: index }) },
    {
      weight: 4,
      arbitrary: fc.record({
        act: fc.constant('decide' as const),
        on: index,
        status: statuses,
        same: fc.boolean(),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        act: fc.constant('delete' as const),
        on: index,
        asModerator: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('edit' as const), on: index }) },
  ),
  { minLength: 5, maxLength: 40 },
)

const MAX_DEPTH = 9
const MOVES = {
  pending: ['approved', 'spam', 'rejected', 'deleted'],
  approved: ['pending', 'spam', 'rejected', 'deleted'],
  spam: ['pending', 'approved', 'rejected', 'deleted'],
  rejected: ['pending', 'approved', 'spam', 'deleted'],
  deleted: ['pending', 'approved'],
} satisfies Record<Status, Status[]> as Record<Status, Status[]>

/** A thread in memory, by the words of the specification. */
const createModel = () => {
  const all: Modelled[] = []
  const childrenOf = (n: number): number[] =>
    all.flatMap(({ parent }, i) => (parent === n ? [i] : []))
  const isShown = (n: number): boolean =>
    all[n]!.status === 'approved' || childrenOf(n).some(isShown)
  const depthOf = (n: number): number => (n === -1 ? -1 : 1 + depthOf(all[n]!.parent))
  const below = (n: number): number[] => childrenOf(n).flatMap((child) => [child, ...below(child)])
  const outline = (n: number): unknown[] =>
    childrenOf(n)
      .filter(isShown)
      .map((child) => {
        const { id, status, text } = all[child]!
        const replies = outline(child)
        return [id, status === 'approved' ? text : null, replies.length, replies]
      })
  const counts = () => {
    const approved = all.filter(({ status }) => status === 'approved')
    return {
      comments: approved.length,
      roots: approved.filter(({ parent }) => parent === -1).length,
    }
  }
  return { all, depthOf, below, outline: () => outline(-1), counts }
}
type Model = ReturnType<typeof createModel>

const mayGoAlong = (
  { status, isWithdrawn, wasPublic }: Modelled,
  { from, to }: { from: Status; to: Status },
): boolean => status === from && !isWithdrawn && (to !== 'approved' || wasPublic)

/** Does it to both, and tells what the model expects and what the service answers. */
const perform = async (service: TestService, article: string, model: Model, command: Command) => {
  const call = async (method: string, path: string, token?: string, body?: Json) =>
    service.call(method, `${SITE}${path}`, { token, body })
  const { all } = model
  const at = (n: number): number => n % all.length

  if (command.act === 'post' || all.length === 0 || command.act === 'reply') {
    const parent = command.act === 'reply' && all.length > 0 ? at(command.to) : -1
    const text = `text ${all.length}`
    const body = { body: text, author: { name: 'Ada' }, parent_id: all[parent]?.id ?? null }
    const answer = await call('POST', `/articles/${article}/comments`, undefined, body)
    const isLost = parent !== -1 && all[parent]!.status !== 'approved'
    const isDeep = model.depthOf(parent) >= MAX_DEPTH
    const expected = isLost || isDeep ? 422 : 201
    const { id, guest_token: token } = answer.body
    if (expected === 201)
      all.push({
        id,
        token,
        parent,
        status: 'approved',
        text,
        isWithdrawn: false,
        revision: 1,
        wasPublic: false,
      })
    return { expected, answered: answer.status }
  }
  const n = at(command.on)
  const comment = all[n]!
  if (command.act === 'decide') {
    const { status: from } = comment
    const body = {
      from,
      to: command.status,
      revision: comment.revision,
      replies: command.same ? 'same' : 'keep',
    }
    const answer = await call('POST', `/comments/${comment.id}/decisions`, service.adminKey, body)
    const mayMove = MOVES[from].includes(body.to) && !comment.isWithdrawn
    const expected = from === body.to ? 400 : mayMove ? 201 : 409
    const along = command.same ? model.below(n).filter((m) => mayGoAlong(all[m]!, body)) : []
    if (expected === 201)
      for (const m of [n, ...along]) {
        if (from === 'approved') all[m]!.wasPublic = true
        all[m]!.status = body.to
      }
    return { expected, answered: answer.status }
  }
  if (command.act === 'delete') {
    const token = command.asModerator ? service.adminKey : comment.token
    const answer = await call('DELETE', `/comments/${comment.id}`, token)
    if (command.asModerator && comment.status === 'approved') comment.wasPublic = true
    comment.status = 'deleted'
    if (!command.asModerator) comment.isWithdrawn = true
    return { expected: 204, answered: answer.status }
  }
  const text = `${comment.text}!`
  const answer = await call('PATCH', `/comments/${comment.id}`, comment.token, { body: text })
  const expected = { approved: 200, pending: 202, spam: 202, rejected: 404, deleted: 404 }[
    comment.status
  ]
  if (expected < 300) {
    comment.text = text
    comment.revision += 1
    comment.wasPublic = false
  }
  return { expected, answered: answer.status }
}

/** The thread that readers see, in the shape of the model. */
const readBack = async ({ get }: TestService, article: string) => {
  const path = `/articles/${article}/comments?sort=oldest&limit=100&depth=10&replies=50`
  const { thread, items } = (await get(path)).body
  const outline = (branches: Json[]): unknown[] =>
    branches.map((c) => [c.id, c.body, c.reply_count, outline(c.replies.items)])
  return { tree: outline(items), comments: thread.comment_count, roots: thread.root_count }
}

t.test('readers see what a simple model predicts for any sequence of writes', async (t) => {
  const service = await openService(t)
  await service.call('PATCH', SITE, { token: service.adminKey, body: { max_depth: MAX_DEPTH } })
  let threads = 0
  const property = fc.asyncProperty(commands, async (all) => {
    const article = `model-${++threads}`
    const model = createModel()
    for (const command of all) {
      const { expected, answered } = await perform(service, article, model, command)
      if (expected !== answered) throw new Error(`${command.act}: ${answered}, not ${expected}`)
      const is = JSON.stringify(await readBack(service, article))
      const should = JSON.stringify({ tree: model.outline(), ...model.counts() })
      if (is !== should) throw new Error(`after ${command.act}: is ${is}, should be ${should}`)
    }
  })
  await fc.assert(property, { numRuns: 30 })
  t.same(await recount(service.db), [])
})
