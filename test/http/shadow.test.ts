import t from 'tap'
import { recount } from '../recount.ts'
import { type Answer, type Call, openService, type TestService } from '../service.ts'

/** An author with a shadow ban sees their comments as if published; other readers do not see them. */

const SITE = '/v1/sites/default'
const SORTS = ['newest', 'oldest', 'top', 'best', 'hot', 'controversial']

type Json = Record<string, any>
type Scene = { service: TestService; eve: string; evesId: string; others: string; ids: string[] }

const said = ({ status, body }: Answer): string => `${status} ${body?.code ?? body?.status ?? ''}`

const banEve = ({ service, evesId }: Scene, effect = 'shadow') =>
  service.call('POST', `${SITE}/moderation/bans`, {
    token: service.adminKey,
    body: { kind: 'author', value: evesId, effect },
  })

/** Eve and somebody else, each with a token, and nothing written. */
const openScene = async (t: Parameters<typeof openService>[0]): Promise<Scene> => {
  const service = await openService(t)
  const make = async (name: string) =>
    (await service.call('POST', `${SITE}/guests`, { body: { name } })).body
  const [eve, other] = [await make('Eve'), await make('Otto')]
  const tokens = { eve: eve.guest_token, others: other.guest_token }
  return { service, ...tokens, evesId: eve.author.id, ids: [] }
}

const send = ({ service }: Scene, token: string, method: string, path: string, body?: Json) =>
  service.call(method, `${SITE}${path}`, { token, ...(body && { body }) })

/** Posts what hangs below the nth comment of the scene; undefined: a root. */
const say = async (scene: Scene, token: string, under?: number): Promise<Json> => {
  const parent = under === undefined ? {} : { parent_id: scene.ids[under] }
  const body = { body: `number ${scene.ids.length}`, ...parent }
  const answer = await send(scene, token, 'POST', '/articles/a/comments', body)
  scene.ids.push(answer.body.id)
  return { status: answer.status, headers: answer.headers, body: answer.body }
}

/** Removes values that differ between two services: times, versions, and values derived from them. */
const timeless = (text: string): string =>
  text
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'T')
    .replace(/"version":\d+/g, '"version":V')
    .replace(/"next_cursor":"[^"]+"/g, '"next_cursor":"C"')

/** A tree and a list in which Eve has her say everywhere; others answer only each other. */
const play = async (scene: Scene): Promise<void> => {
  const { eve, others } = scene
  const script: [string, number?][] = [
    [others],
    [eve],
    [others, 0],
    [eve, 0],
    [eve, 1],
    [others],
    [others, 2],
    [eve, 6],
    [others, 0],
    [eve, 4],
    [eve],
    [others, 5],
    [eve, 5],
    [others, 0],
    [others],
    [eve, 0],
  ]
  for (const [who, under] of script) await say(scene, who, under)
}

const QUERIES = SORTS.flatMap((sort) => [
  `view=tree&depth=10&replies=50&limit=100&sort=${sort}`,
  `view=tree&depth=2&replies=2&limit=2&sort=${sort}`,
  `view=tree&depth=3&replies=1&limit=1&sort=${sort}`,
  `view=tree&replies=0&sort=${sort}`,
  `view=flat&limit=100&sort=${sort}`,
  `view=flat&limit=3&sort=${sort}`,
])

/** All pages of a list, each as it came. */
const walk = async (scene: Scene, path: string): Promise<string[]> => {
  const pages: string[] = []
  for (let cursor: string | null = ''; cursor !== null && pages.length < 30; ) {
    const query: string = cursor && `&cursor=${cursor}`
    const page: Answer = await send(scene, scene.eve, 'GET', `${path}${query}`)
    pages.push(timeless(page.text))
    cursor = page.body.next_cursor
  }
  return pages
}

/** All that Eve can look at. */
const lookAround = async (scene: Scene): Promise<[string, string][]> => {
  const seen: [string, string][] = []
  const look = async (path: string) => {
    const { status, headers, text } = await send(scene, scene.eve, 'GET', path)
    const { date: _date, 'content-length': _, link, ...rest } = headers
    seen.push([path, `${status} ${JSON.stringify({ ...rest, link: !!link })} ${timeless(text)}`])
  }
  for (const query of QUERIES)
    seen.push([query, (await walk(scene, `/articles/a/comments?${query}`)).join('\n')])
  for (const id of scene.ids) {
    await look(`/comments/${id}`)
    await look(`/comments/${id}?context=10`)
    await look(`/comments/${id}/replies?depth=10&replies=50`)
    const paged = await walk(scene, `/comments/${id}/replies?limit=1&sort=oldest`)
    seen.push([`replies to ${id}`, paged.join('\n')])
    await look(`/articles/a/comments?focus=${id}&depth=10&replies=50&limit=100`)
    await look(`/comments/${id}/statement`)
  }
  await look('/articles/a')
  await look('/articles/a/viewer')
  return seen
}

t.test('an author cannot tell a shadowed comment from a published one', async (t) => {
  const [shadowed, published] = [await openScene(t), await openScene(t)]
  await banEve(shadowed)
  for (const scene of [shadowed, published]) await play(scene)
  t.same(shadowed.ids, published.ids)
  const [inShadow, inLight] = [await lookAround(shadowed), await lookAround(published)]
  for (const [i, [path, text]] of inLight.entries()) t.ok(inShadow[i]![1] === text, path)
  t.same(await recount(shadowed.service.db), [])
})

t.test(
  'operations of the author on a shadowed comment respond as if it were published',
  async (t) => {
    const outcomes: string[][] = []
    for (const isBanned of [true, false]) {
      const scene = await openScene(t)
      const { eve, others } = scene
      await say(scene, others)
      if (isBanned) await banEve(scene)
      const answers: Answer[] = []
      const act = async (token: string, method: string, path: string, body?: Json) =>
        answers.push(await send(scene, token, method, path, body))
      await act(eve, 'POST', '/articles/a/comments', { body: 'mine' })
      const { id } = answers[0]!.body
      await act(eve, 'POST', '/articles/a/comments', { body: 'again', parent_id: id })
      await act(eve, 'POST', '/articles/new/comments', {
        body: 'a thread',
        article: { title: 'T' },
      })
      await act(eve, 'GET', '/articles/new/comments')
      await act(eve, 'PUT', `/comments/${id}/vote`, { value: 1 })
      await act(eve, 'POST', `/comments/${id}/flags`, { reason: 'spam' })
      await act(eve, 'PATCH', `/comments/${id}`, { body: 'edited' })
      const at = answers.at(-1)!.headers['thread-version']
      await act(eve, 'GET', `/articles/a/comments?at_least=${at}`)
      await act(eve, 'DELETE', `/comments/${id}`)
      await act(
        eve,
        'GET',
        `/articles/a/comments?at_least=${answers.at(-1)!.headers['thread-version']}`,
      )
      await act(eve, 'GET', `/comments/${id}`)
      outcomes.push(
        answers.map(({ status, headers, text }) =>
          [status, headers.location, !!headers['thread-version'], timeless(text)].join(' '),
        ),
      )
    }
    t.same(outcomes[0], outcomes[1])
  },
)

/** A viewer has the time of its response, and nobody else's data. */
const withoutNow = (text: string): string => text.replace(/,"now":"[^"]+"/, '')

/** Every byte that others get, entity tags and versions included. */
const everything = async ({ service, ids, others, evesId }: Scene): Promise<string[]> => {
  const calls: [string, Call?][] = [
    ...SORTS.flatMap((sort) => [
      [`/articles/a/comments?sort=${sort}`] as [string],
      [`/articles/a/comments?view=flat&sort=${sort}`] as [string],
    ]),
    ...['/articles/a', '/articles/new', '/articles', '/comments', '/counts?article_id=a'].map(
      (path) => [path] as [string],
    ),
    ['/articles/a/comments', { token: others }],
    ['/articles/a/viewer', { token: others }],
    [`/authors/${evesId}/comments`],
    ...ids.flatMap((id) => [
      [`/comments/${id}`] as [string],
      [`/comments/${id}/replies`] as [string],
    ]),
  ]
  const answers: string[] = []
  for (const [path, call] of calls) {
    const { status, headers, text } = await service.get(path, call)
    const { date: _, ...rest } = headers
    answers.push(`${path} ${status} ${JSON.stringify(rest)} ${withoutNow(text)}`)
  }
  return answers
}

t.test('no public byte changes, whatever the author does with shadowed comments', async (t) => {
  const scene = await openScene(t)
  const { eve, others } = scene
  await say(scene, others)
  await say(scene, others, 0)
  await banEve(scene)
  const before = await everything(scene)
  const root = (await say({ ...scene, ids: [...scene.ids] }, eve)).body
  const reply = await send(scene, eve, 'POST', '/articles/a/comments', {
    body: 'a reply',
    parent_id: scene.ids[1],
  })
  await send(scene, eve, 'POST', '/articles/new/comments', { body: 'the first' })
  await send(scene, eve, 'PATCH', `/comments/${root.id}`, { body: 'edited' })
  t.same(await everything(scene), before)
  await send(scene, eve, 'DELETE', `/comments/${root.id}`)
  t.same(await everything(scene), before)
  for (const id of [root.id, reply.body.id])
    for (const [method, path, body] of [
      ['GET', ''],
      ['GET', '/replies'],
      ['PUT', '/vote', { value: 1 }],
      ['POST', '/flags', { reason: 'spam' }],
      ['PATCH', '', { body: 'y' }],
      ['DELETE', ''],
    ] as const) {
      const answer = await send(scene, others, method, `/comments/${id}${path}`, body)
      t.equal(said(answer), '404 not_found', `${method} ${path}`)
    }
  const under = { body: 'x', parent_id: reply.body.id }
  const answered = await send(scene, others, 'POST', '/articles/a/comments', under)
  t.equal(said(answered), '422 parent_not_found')
})

t.test('a moderator sees a shadowed comment, and a decision ends the shadow', async (t) => {
  const scene = await openScene(t)
  const { service, eve } = scene
  await banEve(scene)
  const { body } = await say(scene, eve)
  const queue = async () =>
    (await service.get('/moderation/comments?status=rejected', { token: service.adminKey })).body
      .items
  t.match(await queue(), [{ id: body.id, shadowed: true, status: 'rejected' }])
  t.equal((await service.decide(body.id, 'rejected', 'approved')).status, 201)
  t.match((await service.get(`/comments/${body.id}`)).body, { status: 'approved' })
  await service.decide(body.id, 'approved', 'rejected')
  t.match(await queue(), [{ id: body.id, shadowed: false }])
  t.equal((await send(scene, eve, 'GET', `/comments/${body.id}`)).status, 404)
})

t.test('an edit of a published comment by a shadow-banned author shadows it', async (t) => {
  const scene = await openScene(t)
  const { service, eve, others } = scene
  await say(scene, eve)
  await say(scene, others, 0)
  await banEve(scene)
  const [id] = scene.ids
  const edit = await send(scene, eve, 'PATCH', `/comments/${id}`, { body: 'now an advertisement' })
  t.match(edit, { status: 200, body: { status: 'approved', body: 'now an advertisement' } })
  t.match((await service.get(`/comments/${id}`)).body, { status: 'deleted', body: null })
  const own = (await send(scene, eve, 'GET', '/articles/a/comments')).body
  t.match(own.items, [{ id, body: 'now an advertisement', reply_count: 1 }])
  t.match(own.thread, { comment_count: 2, root_count: 1 })
  t.same(await recount(service.db), [])
})

t.test('a comment that would be held anyway is held, shadowed or not', async (t) => {
  const scene = await openScene(t)
  const { service, eve } = scene
  await service.call('PATCH', SITE, { token: service.adminKey, body: { moderation: 'pre' } })
  await banEve(scene)
  const { status, body } = await say(scene, eve)
  t.match({ status, body }, { status: 202, body: { status: 'pending' } })
  const viewer = (await send(scene, eve, 'GET', '/articles/a/viewer')).body
  t.match(viewer.pending, [{ id: body.id }])
  const { items } = (await service.get('/moderation/comments', { token: service.adminKey })).body
  t.match(items, [{ id: body.id, shadowed: false }])
})

t.test('a reply to a shadowed comment is shadowed, also after the ban', async (t) => {
  const scene = await openScene(t)
  const { service, eve } = scene
  const ban = (await banEve(scene)).body
  await say(scene, eve)
  const path = `${SITE}/moderation/bans/${ban.id}`
  await service.call('DELETE', path, { token: service.adminKey })
  t.equal((await say(scene, eve, 0)).status, 201)
  t.equal((await service.get('/articles/a')).body.comment_count, 0)
  t.equal((await say(scene, eve)).status, 201)
  t.equal((await service.get('/articles/a')).body.comment_count, 1)
  t.equal((await send(scene, eve, 'GET', '/articles/a')).body.comment_count, 3)
})

t.test(
  'exportAuthor shows a shadowed comment to its author as published, to an administrator as it is',
  async (t) => {
    const scene = await openScene(t)
    await banEve(scene)
    await say(scene, scene.eve)
    const path = `/authors/${scene.evesId}/export`
    const firstFor = async (token: string) =>
      (await send(scene, token, 'GET', path)).body.comments[0]
    const own = await firstFor(scene.eve)
    t.equal(own.status, 'approved')
    t.notOk('shadowed' in own)
    t.match(await firstFor(scene.service.adminKey), { status: 'rejected', shadowed: true })
  },
)
