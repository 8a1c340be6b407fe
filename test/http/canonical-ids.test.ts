import t from 'tap'
import { openService, type TestService } from '../service.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'
const OWN = 'https://example.com/a/b'
const SPELLINGS = [
  OWN,
  'http://example.com/a/b',
  'HTTPS://Example.COM/a/b',
  'https://www.example.com/a/b',
  'https://example.com:443/a/b',
  'https://example.com/a/b/',
  'https://example.com/a/b/index.html',
  'https://example.com/a/b?utm_source=mail&ref=y',
  'https://example.com/%61/b#comments',
]

const pathOf = (id: string, rest = ''): string => `/articles/${encodeURIComponent(id)}${rest}`

const askForCanonical = ({ call, adminKey: token }: TestService) =>
  call('PATCH', SITE, { token, body: { article_ids: 'canonical' } })

t.test('nine spellings of one address are one thread where the site asks for it', async (t) => {
  const service = await openService(t)
  const { get, post, adminKey: token } = service
  t.match(await askForCanonical(service), { status: 200, body: { article_ids: 'canonical' } })
  for (const [i, spelling] of SPELLINGS.entries())
    t.equal((await post(spelling, `text ${i}`)).article_id, OWN, spelling)
  for (const _ of ['first', 'repeated'])
    for (const spelling of SPELLINGS) {
      const { body } = await get(pathOf(spelling, '/comments?limit=4'))
      t.match(body.thread, { article_id: OWN, comment_count: 9 })
      const cursor = encodeURIComponent(body.next_cursor)
      const next = await get(pathOf(OWN, `/comments?limit=4&cursor=${cursor}`))
      t.equal(next.body.items.length, 4)
    }
  t.equal((await get('/moderation/threads', { token })).body.items.length, 1)
})

t.test('counts keep the spellings of the request as keys', async (t) => {
  const service = await openService(t)
  const { get, post, call } = service
  await askForCanonical(service)
  await post(OWN, 'hello')
  const query = SPELLINGS.map((id) => `article_id=${encodeURIComponent(id)}`).join('&')
  const asked = [
    await get(`/counts?${query}`),
    await call('POST', `${SITE}/counts`, { body: { article_ids: SPELLINGS } }),
  ]
  for (const { body } of asked) {
    t.same(Object.keys(body).toSorted(), SPELLINGS.toSorted())
    t.ok(Object.values<Json>(body).every(({ comment_count: n }) => n === 1))
  }
})

t.test('moderators name articles by any spelling', async (t) => {
  const service = await openService(t)
  const { get, post, call, adminKey: token } = service
  await askForCanonical(service)
  const comment = await post('a', 'hello')
  const other = encodeURIComponent(SPELLINGS[5]!)
  const send = (method: string, path: string, body: object) =>
    call(method, `${SITE}${path}`, { token, body })
  await send('POST', `/comments/${comment.id}/moves`, { article_id: SPELLINGS[3] })
  t.match(await get(pathOf(OWN)), { body: { comment_count: 1 } })
  const queue = await get(`/moderation/comments?status=approved&article_id=${other}`, { token })
  t.equal(queue.body.items.length, 1)
  t.equal((await get(`/comments?article_id=${other}`)).body.items.length, 1)
  const merge = { into: SPELLINGS[1] }
  t.match(await send('POST', pathOf(SPELLINGS[2]!, '/merges'), merge), { status: 400 })
  const threads = [{ article_id: SPELLINGS[4], from: 'open' }]
  const closing = { threads, to: 'closed' }
  t.match(await send('POST', '/moderation/threads/decisions', closing), { status: 200 })
  t.match(await get(pathOf(OWN)), { body: { state: 'closed' } })
  const alias = { article_id: SPELLINGS[7] }
  t.match(await send('POST', '/articles/a/aliases', alias), {
    status: 409,
    body: { code: 'article_has_comments' },
  })
})

t.test(
  'a site keeps article ids as they are sent, unless it asks for the canonical form',
  async (t) => {
    const service = await openService(t)
    const { get, adminKey: token } = service
    const site = await get('', { token })
    t.equal(site.body.article_ids, 'as_sent')
    t.match(await get(pathOf(SPELLINGS[5]!)), { body: { article_id: SPELLINGS[5] } })
    await askForCanonical(service)
    t.match(await get(pathOf(SPELLINGS[5]!)), { body: { article_id: OWN } })
    t.match(await get(pathOf('A/b/')), { body: { article_id: 'A/b/' } })
    t.match((await get('/audit', { token })).body.items[0], {
      action: 'site_updated',
      before: { article_ids: 'as_sent' },
      after: { article_ids: 'canonical' },
    })
  },
)
