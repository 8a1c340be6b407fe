import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import { MAX_SHOWN } from '../../src/domain/comment/place.ts'
import { isRanked, SORTS, type Sort } from '../../src/domain/comment/sort.ts'
import { IDS } from '../ids.ts'
import { runs } from '../lengths.ts'
import { openService, type TestService } from '../service.ts'

/** I-10: a walk shows each comment that was visible throughout exactly once, in order. */

type Plan = { parent: number; status: string; up: number; down: number; minute: number }
type Limits = { limit: number; depth: number; replies: number }

/** A comment of the plan as the database holds it, with its rank in every sort. */
type Planted = { id: number; parentId: number; status: string } & Record<Sort, number>

/** Few values, so that ranks are often equal. */
const plans = fc.array(
  fc.record({
    parent: fc.nat({ max: 40 }),
    status: fc.constantFrom('approved', 'approved', 'approved', 'rejected', 'pending'),
    up: fc.nat({ max: 2 }),
    down: fc.nat({ max: 2 }),
    minute: fc.nat({ max: 5 }),
  }),
  { minLength: 1, maxLength: 40 },
)
const limitsOf = fc.record({
  limit: fc.integer({ min: 1, max: 4 }),
  depth: fc.integer({ min: 1, max: 4 }),
  replies: fc.nat({ max: 3 }),
})

/** Inserts a thread in one statement. Each comment is a root or a reply to an earlier comment. */
const plant = async ({ db }: TestService, articleId: string, plan: Plan[]): Promise<Planted[]> => {
  const parents = plan.map(({ parent }, at) => (parent < at ? parent : -1))
  const isShown = plan.map(({ status }) => status === 'approved')
  const counts = plan.map(() => 0)
  for (const at of [...plan.keys()].reverse()) {
    const parent = parents[at]!
    if (!isShown[at] || parent === -1) continue
    counts[parent]! += 1
    isShown[parent] = true
  }
  const rows = plan.map((comment, at) => ({
    ...comment,
    at,
    parent: parents[at],
    count: counts[at],
  }))
  const { rows: planted } = await sql<Planted>`
    with recursive a as (
      insert into authors (site_id, name) values (1, 'Ada') returning id
    ), t as (
      insert into threads (site_id, article_id, version, comment_count)
      values (1, ${articleId}, 1, ${plan.filter(({ status }) => status === 'approved').length})
      returning id
    ), plan as (
      select *, nextval('comments_id_seq') as id
      from json_to_recordset(${JSON.stringify(rows)}::json)
        as p (at int, parent int, status comment_status, up int, down int, minute int, count int)
      order by at
    ), placed as (
      select plan.*, 0 as depth, 0::bigint as parent_id from plan where parent = -1
      union all
      select plan.*, p.depth + 1, p.id from plan join placed p on plan.parent = p.at
    )
    , dated as (
      select p.*, timestamptz '2026-01-01' + p.minute * interval '1 minute' as time from placed p
    ), written as (
      insert into comments (id, site_id, thread_id, parent_id, depth, author_id, status, created_at,
        published_at, body, body_html, renderer)
      overriding system value
      select p.id, 1, t.id, p.parent_id, p.depth, a.id, p.status, time, time, 'x', 'x', 1
      from dated p, t, a
    )
    insert into comment_tallies (site_id, thread_id, comment_id, parent_id, created_at, is_visible,
      reply_count, active_at, upvotes, downvotes)
    select 1, t.id, p.id, p.parent_id, time, p.status = 'approved', p.count,
      time + p.count * interval '1 minute', p.up, p.down
    from dated p, t
    returning comment_id as id, parent_id,
      case when is_visible then 'approved' else 'rejected' end as status, score as top, best, hot, controversy as controversial,
      extract(epoch from active_at)::float8 as active,
      extract(epoch from created_at)::float8 as newest,
      -extract(epoch from created_at)::float8 as oldest`.execute(db)
  return planted
}

/** Ids below `parentId`, as readers see them in this order: `{ id: { id: {} } }`. */
type Forest = Map<string, Forest>

const expectForest = (planted: Planted[], sort: Sort, threadId: number, parentId = 0): Forest => {
  const idsGoUp = sort === 'oldest'
  const children = planted
    .filter((comment) => comment.parentId === parentId)
    .sort((a, b) => b[sort] - a[sort] || (idsGoUp ? a.id - b.id : b.id - a.id))
    .map(({ id, status }) => ({ id, status, below: expectForest(planted, sort, threadId, id) }))
    .filter(({ status, below }) => status === 'approved' || below.size > 0)
  return new Map(children.map(({ id, below }) => [IDS.writeComment({ threadId, id }), below]))
}

/** Reads one page after the other until there is none. */
const walkList = async (
  service: TestService,
  path: string,
  first?: string,
  absent: () => boolean = () => false,
) => {
  const items: any[] = []
  for (let cursor: string | null | undefined = first; cursor !== null; ) {
    const answer = await service.get(cursor === undefined ? path : `${path}&cursor=${cursor}`)
    if (answer.status === 404 && absent()) return items
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`)
    items.push(...answer.body.items)
    cursor = answer.body.next_cursor
  }
  return items
}

type Walk = { limits: string; mayVanish?: (id: string) => boolean }

/** Follows every continuation below these items, and fails on a comment that comes twice. */
const gather = async (service: TestService, items: any[], walk: Walk): Promise<Forest> => {
  const forest: Forest = new Map()
  for (const { id, replies } of items) {
    if (forest.has(id)) throw new Error(`${id} came twice`)
    const { next_cursor, remaining } = replies
    if ((next_cursor === null) !== (remaining === 0)) throw new Error(`${id}: ${remaining} remain`)
    const path = `/comments/${id}/replies?${walk.limits}`
    const absent = () => walk.mayVanish?.(id) ?? false
    const more = next_cursor === null ? [] : await walkList(service, path, next_cursor, absent)
    if (!walk.mayVanish && more.length !== remaining)
      throw new Error(`${id}: ${remaining} remained`)
    forest.set(id, await gather(service, [...replies.items, ...more], walk))
  }
  return forest
}

const walkTree = async (service: TestService, article: string, query: string, walk: Walk) =>
  gather(service, await walkList(service, `/articles/${article}/comments?${query}`), walk)

const toQuery = (limits: Limits, more: Record<string, string> = {}): string =>
  new URLSearchParams({ ...more, ...(limits as object) } as Record<string, string>).toString()

/** Order counts. */
const draw = (forest: Forest): string =>
  [...forest].map(([id, below]) => `${id}(${draw(below)})`).join(' ')

const idsOf = (forest: Forest): string[] =>
  [...forest].flatMap(([id, below]) => [id, ...idsOf(below)])

const findThreadId = async ({ db }: TestService, article: string): Promise<number> => {
  const { rows } = await sql<{ id: number }>`
    select id from threads where article_id = ${article}`.execute(db)
  return rows[0]!.id
}

let lastArticle = 0
const nextArticle = (): string => `article-${++lastArticle}`

const RUNS = { numRuns: runs(5, 20), endOnFailure: true }

for (const sort of SORTS) {
  t.test(`sort=${sort}: any tree, with any limits, is walked whole and in order`, async (t) => {
    const service = await openService(t)
    const walks = fc.asyncProperty(plans, limitsOf, async (plan, limits) => {
      const article = nextArticle()
      const planted = await plant(service, article, plan)
      const threadId = await findThreadId(service, article)
      const query = toQuery(limits, { sort })
      const walked = await walkTree(service, article, query, { limits: toQuery(limits) })
      const expected = draw(expectForest(planted, sort, threadId))
      if (draw(walked) !== expected) throw new Error(`${draw(walked)} is not ${expected}`)
    })
    await fc.assert(walks, RUNS)
  })

  t.test(`sort=${sort}: any flat list is walked whole and in order`, async (t) => {
    const service = await openService(t)
    const walks = fc.asyncProperty(plans, limitsOf, async (plan, { limit }) => {
      const article = nextArticle()
      const planted = await plant(service, article, plan)
      const approved = planted.filter(({ status }) => status === 'approved')
      const flat = approved.map((comment) => ({ ...comment, parentId: 0 }))
      const threadId = await findThreadId(service, article)
      const path = `/articles/${article}/comments?view=flat&sort=${sort}&limit=${limit}`
      const walked = (await walkList(service, path)).map(({ id }) => id).join(' ')
      const expected = [...expectForest(flat, sort, threadId).keys()].join(' ')
      if (walked !== expected) throw new Error(`${walked} is not ${expected}`)
    })
    await fc.assert(walks, RUNS)
  })
}

t.test('focus: all after the path is walked whole', async (t) => {
  const service = await openService(t)
  const walks = fc.asyncProperty(plans, limitsOf, fc.nat(), async (plan, limits, pick) => {
    const article = nextArticle()
    const planted = await plant(service, article, plan)
    const threadId = await findThreadId(service, article)
    const whole = expectForest(planted, 'newest', threadId)
    const shown = idsOf(whole)
    if (shown.length === 0) return
    const focus = shown[pick % shown.length]!
    const first = (await service.get(`/articles/${article}/comments?${toQuery(limits, { focus })}`))
      .body
    const expected = expectPath(whole, focus)
    const path = `/articles/${article}/comments?${toQuery(limits)}`
    const rest = first.next_cursor === null ? [] : await walkList(service, path, first.next_cursor)
    // `remaining` also counts replies before the path, so the test does not compare it.
    const walk = { limits: toQuery(limits), mayVanish: () => false }
    const walked = draw(await gather(service, [...first.items, ...rest], walk))
    if (walked !== draw(expected)) throw new Error(`${walked} is not ${draw(expected)}`)
    if (drawPath(first.items, focus) === undefined) throw new Error('the path is not in the page')
  })
  await fc.assert(walks, { ...RUNS, numRuns: runs(5, 30) })
})

/** The forest without what stands before the path in the lists on the way. */
const expectPath = (forest: Forest, focus: string): Forest => {
  const entries = [...forest]
  const at = entries.findIndex(([id, below]) => id === focus || idsOf(below).includes(focus))
  if (at === -1) return forest
  const [[id, below], ...rest] = entries.slice(at) as [[string, Forest], ...[string, Forest][]]
  return new Map([[id, id === focus ? below : expectPath(below, focus)], ...rest])
}

/** The first item of every list, down to `focus`. */
const drawPath = ([first]: any[], focus: string): string | undefined => {
  if (first === undefined) return undefined
  return first.id === focus ? first.id : drawPath(first.replies.items, focus)
}

/** A thread that changes at every moment: what stands in `touched` was hidden for a while. */
const disturb = (service: TestService, article: string, ids: readonly string[]) => {
  const touched = new Set<string>()
  const state = { stopped: false }
  const pick = () => ids[Math.floor(Math.random() * ids.length)]!
  const path = `/v1/sites/default/articles/${article}/comments`
  const author = { name: 'Bo' }
  const post = (parent_id: string | null) =>
    service.call('POST', path, { body: { body: 'new', author, parent_id } })

  const write = async (): Promise<void> => {
    while (!state.stopped) {
      await post(Math.random() < 0.3 ? null : pick())
      const victim = pick()
      // Every other one stays as it is.
      if (ids.indexOf(victim) % 2 === 0) continue
      touched.add(victim)
      await service.decide(victim, 'approved', 'rejected')
      if (Math.random() < 0.7) await service.decide(victim, 'rejected', 'approved')
    }
  }
  const writers = [write(), write(), write()]
  const stop = async () => {
    state.stopped = true
    await Promise.all(writers)
  }
  return { touched, stop }
}

const SHAPE: Plan[] = Array.from({ length: 60 }, (_, at) => ({
  parent: at % 4 === 0 ? 99 : Math.floor(at / 3),
  status: 'approved',
  up: at % 3,
  down: at % 2,
  minute: at % 7,
}))

for (const sort of SORTS) {
  t.test(`sort=${sort}: a walk is exact while others post, reject and approve`, async (t) => {
    const service = await openService(t)
    const article = nextArticle()
    const planted = await plant(service, article, SHAPE)
    const threadId = await findThreadId(service, article)
    const ids = planted.map(({ id }) => IDS.writeComment({ threadId, id }))
    const targets = sort === 'active' ? listTargets(planted, threadId) : ids
    const { touched, stop } = disturb(service, article, targets)
    const limits = toQuery({ limit: 3, depth: 2, replies: 1 })
    const walk = { limits, mayVanish: (id: string) => touched.has(id) || !ids.includes(id) }
    const walks = []
    try {
      // On a slow machine, three walks can end before the writers have hidden anything.
      while (walks.length < 3 || touched.size === 0) {
        walks.push(await walkTreeLoosely(service, article, `${limits}&sort=${sort}`, walk))
      }
    } finally {
      await stop()
    }
    // Replies change the rank of what they reply to, and so the place of the whole branch.
    const isMoved = (id: string) => sort === 'active' && (targets.includes(id) || !ids.includes(id))
    const expected = ids.filter((id) => !touched.has(id))
    const unmoved = expected.filter((id) => !isMoved(id))
    const lists = siblings(planted, sort, threadId, unmoved)
    for (const shown of walks) {
      const lost = expected.filter((id) => !shown.includes(id))
      const twice = shown.filter((id, at) => shown.indexOf(id) !== at)
      t.same({ lost, twice }, { lost: [], twice: [] }, `${shown.length} shown`)
      t.same(
        lists.map((list) => orderOf(shown, list)),
        lists,
        'in order',
      )
    }
    t.ok(expected.length >= 20, 'many were not touched')
  })
}

type Act = {
  kind: 'vote' | 'hide' | 'show' | 'post' | 'pin'
  pick: number
  up: number
  down: number
}

const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('vote', 'vote', 'vote', 'hide', 'show', 'post', 'pin'),
    pick: fc.nat(),
    up: fc.nat({ max: 9 }),
    down: fc.nat({ max: 9 }),
  }),
  { minLength: 1, maxLength: 4 },
)

/** Votes of many members in one statement. Each vote also counts as activity, for `active`. */
const vote = async ({ db }: TestService, where: number, { up, down }: Pick<Act, 'up' | 'down'>) => {
  await sql`
    update comment_tallies set upvotes = ${up}, downvotes = ${down},
      active_at = greatest(created_at, timestamptz '2026-01-01' + ${up} * interval '1 hour')
    where comment_id = ${where}`.execute(db)
}

/** Acts on a comment of the thread. `touched` gets the comments that were not visible throughout. */
const perform = async (
  service: TestService,
  { article, rows, threadId, touched }: Story,
  act: Act,
): Promise<void> => {
  const { id } = rows[act.pick % rows.length]!
  const name = IDS.writeComment({ threadId, id })
  const at = `/v1/sites/default/comments/${name}`
  const token = service.adminKey
  if (act.kind === 'vote') return vote(service, id, act)
  if (act.kind === 'post') return void (await service.post(article, 'new'))
  if (act.kind === 'pin')
    return void (await service.call('PUT', `${at}/pin`, { token, body: { pinned: act.up > 4 } }))
  touched.add(name)
  const [from, to] =
    act.kind === 'hide' ? (['approved', 'rejected'] as const) : (['rejected', 'approved'] as const)
  await service.decide(name, from, to)
}

type Story = { article: string; rows: Planted[]; threadId: number; touched: Set<string> }

const RANKED = SORTS.filter(isRanked)

t.test('a ranked walk shows each comment once, whatever is voted between its pages', async (t) => {
  const service = await openService(t)
  const stories = fc.asyncProperty(
    plans,
    fc.constantFrom(...RANKED),
    fc.constantFrom('tree', 'flat', 'replies'),
    fc.integer({ min: 1, max: 4 }),
    fc.array(acts, { minLength: 1, maxLength: 12 }),
    async (plan, sort, view, limit, story) => {
      const article = nextArticle()
      // A list of replies is that of the first comment.
      const shape = plan.map((one, at) => ({
        ...one,
        parent: view === 'replies' && at > 0 ? 0 : 99,
      }))
      const planted = await plant(service, article, shape)
      const rows = planted.filter((row) => view !== 'replies' || row.parentId !== 0)
      if (rows.length === 0) return
      const threadId = await findThreadId(service, article)
      const touched = new Set<string>()
      const parent = planted.find(({ parentId }) => parentId === 0)!
      const path =
        view === 'replies'
          ? `/comments/${IDS.writeComment({ threadId, id: parent.id })}/replies?depth=1`
          : `/articles/${article}/comments?view=${view}`
      const shown: string[] = []
      let cursor: string | null = ''
      for (let page = 0; cursor !== null; page++) {
        const more: string = cursor === '' ? '' : `&cursor=${cursor}`
        const { status, body } = await service.get(`${path}&sort=${sort}&limit=${limit}${more}`)
        if (status === 404 && view === 'replies') return
        shown.push(...body.items.map(({ id }: any) => id))
        cursor = body.next_cursor
        for (const act of story[page] ?? [])
          await perform(service, { article, rows, threadId, touched }, act)
      }
      const lost = rows
        .filter(({ status }) => status === 'approved')
        .map(({ id }) => IDS.writeComment({ threadId, id }))
        .filter((id) => !touched.has(id) && !shown.includes(id))
      const twice = shown.filter((id, at) => shown.indexOf(id) !== at)
      if (lost.length + twice.length > 0)
        throw new Error(`lost ${lost.join(' ')}, twice ${twice.join(' ')}, of ${shown.join(' ')}`)
    },
  )
  await fc.assert(stories, { ...RUNS, numRuns: runs(6, 100) })
})

for (const view of ['tree', 'flat'])
  t.test(`a ranked ${view} walk is exact beyond the comments that a cursor names`, async (t) => {
    const service = await openService(t)
    const article = nextArticle()
    const root = { parent: 9_999, status: 'approved', down: 0 }
    const count = MAX_SHOWN + 130
    const plan = Array.from({ length: count }, (_, n) => ({ ...root, up: n % 9, minute: n % 60 }))
    const planted = await plant(service, article, plan)
    const shown: string[] = []
    let cursor: string | null = ''
    for (let page = 0; cursor !== null; page++) {
      const more: string = cursor === '' ? '' : `&cursor=${cursor}`
      const path = `/articles/${article}/comments?view=${view}&sort=top&limit=90${more}`
      const { body, status } = await service.get(path)
      t.equal(status, 200)
      shown.push(...body.items.map(({ id }: any) => id))
      cursor = body.next_cursor
      t.ok(path.length < 3_000, `${path.length} characters`)
      // The last become the first.
      await sql`
        update comment_tallies set upvotes = (comment_id * ${page + 7}) % 101`.execute(service.db)
    }
    t.equal(shown.length, count)
    t.equal(new Set(shown).size, planted.length)
  })

/** Every other branch, and not the largest. */
const listTargets = (planted: Planted[], threadId: number): string[] => {
  const branches = [...expectForest(planted, 'oldest', threadId)]
  return idsOf(new Map(branches.filter((_, at) => at % 2 === 1)))
}

const orderOf = (shown: string[], list: string[]) => shown.filter((id) => list.includes(id))

/** The untouched children of each parent, as they must follow each other. */
const siblings = (
  planted: Planted[],
  sort: Sort,
  threadId: number,
  among: string[],
): string[][] => {
  const lists = (forest: Forest): string[][] => [
    [...forest.keys()].filter((id) => among.includes(id)),
    ...[...forest.values()].flatMap(lists),
  ]
  return lists(expectForest(planted, sort, threadId))
}

/** Every id in the order of the walk, what came twice included. */
const walkTreeLoosely = async (
  service: TestService,
  article: string,
  query: string,
  walk: Walk,
) => {
  const shown: string[] = []
  const visit = async (items: any[]): Promise<void> => {
    for (const { id, replies } of items) {
      shown.push(id)
      const { next_cursor } = replies
      const path = `/comments/${id}/replies?${walk.limits}`
      const absent = () => walk.mayVanish!(id)
      await visit([
        ...replies.items,
        ...(next_cursor === null ? [] : await walkList(service, path, next_cursor, absent)),
      ])
    }
  }
  await visit(await walkList(service, `/articles/${article}/comments?${query}`))
  return shown
}

t.test('listRecent: a walk is whole, latest published first', async (t) => {
  const service = await openService(t)
  for (const article of [nextArticle(), nextArticle(), nextArticle()]) {
    await plant(service, article, SHAPE)
  }
  const { rows } = await sql<{ threadId: number; id: number }>`
    select thread_id, id from comments where status = 'approved'
    order by published_at desc, id desc`.execute(service.db)
  for (const limit of [1, 7, 100]) {
    const items = await walkList(service, `/comments?limit=${limit}`)
    t.same(
      items.map(({ id }) => id),
      rows.map((row) => IDS.writeComment(row)),
    )
  }
})

t.test('listRecent: a walk is exact while others post, reject and approve', async (t) => {
  const service = await openService(t)
  const article = nextArticle()
  const planted = await plant(service, article, SHAPE)
  const threadId = await findThreadId(service, article)
  const ids = planted.map(({ id }) => IDS.writeComment({ threadId, id }))
  const { touched, stop } = disturb(service, article, ids)
  const walks: string[][] = []
  try {
    for (let n = 0; n < 5; n++) {
      walks.push((await walkList(service, '/comments?limit=3')).map(({ id }) => id))
    }
  } finally {
    await stop()
  }
  for (const shown of walks) {
    t.same(
      ids.filter((id) => !touched.has(id) && !shown.includes(id)),
      [],
      'lost',
    )
    t.equal(new Set(shown).size, shown.length, 'twice')
  }
})

t.test('listRecent: polling the first page misses no late approval', async (t) => {
  const service = await openService(t)
  const early = await service.post('a', 'early')
  await service.changeSite({ moderation: 'pre' })
  const held = await service.post('a', 'held')
  const later = await service.post('b', 'later')
  await service.decide(later.id, 'pending', 'approved')
  const before = (await service.get('/comments')).body.items.map(({ id }: any) => id)
  await service.decide(held.id, 'pending', 'approved')
  const after = (await service.get('/comments')).body.items.map(({ id }: any) => id)
  t.same(before, [later.id, early.id])
  t.same(after, [held.id, later.id, early.id])
})
