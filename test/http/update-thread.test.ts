import t from 'tap'
import { recount } from '../recount.ts'
import { type Answer, openService, suggest, type TestService } from '../service.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'

/** An answer in a few words: its status, and why not. */
const said = ({ status, body }: Answer): string =>
  status < 400 ? `${status}` : `${status} ${body.code}`

const asAdmin = (service: TestService) => ({
  get: (path: string) => service.get(path, { token: service.adminKey }),
  changeThread: (article: string, body: Json) =>
    service.call('PATCH', `${SITE}/articles/${article}`, { token: service.adminKey, body }),
  changeSite: (body: Json) => service.call('PATCH', SITE, { token: service.adminKey, body }),
})

const threadOf = async ({ get }: TestService, article: string): Promise<Json> =>
  (await get(`/articles/${article}`)).body

t.test('updateThread', async (t) => {
  const service = await openService(t)
  const { post, get } = service
  const { changeThread } = asAdmin(service)

  t.test('updateThread changes the named fields and returns the thread', async (t) => {
    await post('a', 'text')
    const closes_at = '2100-01-02T03:04:05.678Z'
    const changes: [Json, Json?][] = [
      [{ title: ' Title ' }, { title: 'Title' }],
      [{ url: 'https://a.example/x' }],
      [{ closes_at }],
      [{ moderation: 'pre' }],
      [{ state: 'locked' }],
      [{ title: null, url: null, closes_at: null, moderation: 'site', state: 'open' }],
    ]
    let expected: Json = {
      article_id: 'a',
      title: null,
      url: null,
      state: 'open',
      closes_at: null,
      moderation: 'site',
      comment_count: 1,
    }
    let version = 0
    for (const [change, becomes = change] of changes) {
      const { status, headers, body } = await changeThread('a', change)
      expected = { ...expected, ...becomes }
      t.match({ status, ...body }, { status: 200, ...expected }, JSON.stringify(change))
      const isSeen = change.moderation === undefined || change.state !== undefined
      t.equal(body.version > version, isSeen, 'what no reader sees changes no version')
      t.equal(headers['thread-version'], String(body.version))
      version = body.version
      const { title, url, state } = expected
      t.match(await threadOf(service, 'a'), { title, url, state, version })
    }
  })

  t.test('updateThread creates an absent thread', async (t) => {
    const { status, body } = await changeThread('absent', { state: 'closed', title: 'Soon' })
    t.match({ status, body }, { status: 200, body: { state: 'closed', comment_count: 0 } })
    t.match(await threadOf(service, 'absent'), { state: 'closed', title: 'Soon', comment_count: 0 })
  })

  t.test('updateThread hides a thread as if it were absent, and restores it', async (t) => {
    const root = await post('hidden', 'a secret', ...suggest('T'))
    await post('hidden', 'reply', { parent_id: root.id })
    const paths = ['/articles/hidden', '/articles/hidden/comments', '/counts?article_id=hidden']
    const before = await Promise.all(paths.map((path) => get(path)))
    t.equal((await changeThread('hidden', { state: 'hidden' })).status, 200)
    for (const path of paths) {
      const { text } = await get(path.replaceAll('hidden', 'never'))
      t.equal((await get(path)).text, text.replaceAll('never', 'hidden'), path)
    }
    t.equal(said(await get(`/comments/${root.id}`)), '404 not_found')
    t.equal(said(await get(`/comments/${root.id}/replies`)), '404 not_found')
    t.notMatch((await get('/comments')).text, 'secret')
    t.notMatch((await get('/articles')).text, '"hidden"')
    await changeThread('hidden', { state: 'open' })
    const versionless = ({ text }: Answer) => text.replace(/"version":\d+/g, '')
    t.same(
      (await Promise.all(paths.map((path) => get(path)))).map(versionless),
      before.map(versionless),
    )
  })

  t.test('updateThread closes a thread when its closing time has come', async (t) => {
    await changeThread('timed', { closes_at: new Date(Date.now() - 1).toISOString() })
    t.equal((await threadOf(service, 'timed')).state, 'closed')
    await changeThread('timed', { closes_at: null })
    t.equal((await threadOf(service, 'timed')).state, 'open')
  })

  t.test('updateThread names the invalid fields', async (t) => {
    const faults: [Json, string][] = [
      [{}, ''],
      [{ state: 'shut' }, '/state'],
      [{ state: null }, '/state'],
      [{ title: '' }, '/title'],
      [{ title: 'a\nb' }, '/title'],
      [{ url: 'javascript:x' }, '/url'],
      [{ closes_at: 'tomorrow' }, '/closes_at'],
      [{ closes_at: '2026-13-01T00:00:00Z' }, '/closes_at'],
      [{ closes_at: '2016-12-31T23:59:60Z' }, '/closes_at'],
      [{ closes_at: 0 }, '/closes_at'],
      [{ moderation: 'never' }, '/moderation'],
      [{ comment_count: 3 }, '/comment_count'],
    ]
    for (const [change, pointer] of faults) {
      const answer = await changeThread('faults', change)
      t.equal(said(answer), '400 invalid_request', JSON.stringify(change))
      t.equal(answer.body.errors?.[0].pointer, pointer, JSON.stringify(change))
    }
  })

  t.test('updateThread takes every time that it can return', async (t) => {
    for (const closes_at of [
      '0001-01-01T00:00:00Z',
      '9999-12-31T23:59:59.999Z',
      '2026-01-01T00:00:00+05:30',
    ]) {
      const { status, body } = await changeThread('times', { closes_at })
      t.match(
        { status, at: body.closes_at },
        { status: 200, at: new Date(closes_at).toISOString() },
        closes_at,
      )
    }
    const outside = await changeThread('times', { closes_at: '9999-12-31T23:59:59-23:59' })
    const noYear = await changeThread('times', { closes_at: '0000-12-31T23:59:59Z' })
    t.equal(said(noYear), '400 invalid_request', 'Postgres has no year 0')
    t.equal(said(outside), '400 invalid_request')
  })

  t.test('updateThread keeps every count right', async (t) => t.same(await recount(service.db), []))
})
