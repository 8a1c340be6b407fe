import t from 'tap'
import { parse } from 'yaml'
import { readConfig } from '../../src/config.ts'
import { openService, type TestService } from '../service.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'
const URL_OF = 'https://blog.example/comments'

const open = async (t: Parameters<typeof openService>[0]) => {
  const service = await openService(t, { publicUrl: URL_OF, trustedProxies: ['127.0.0.1'] })
  const admin = (method: string, path: string, body?: object) =>
    service.call(method, path, { token: service.adminKey, ...(body && { body }) })
  return { ...service, admin }
}

/** Headers of a client that names other addresses, which a proxy can pass on. */
const ELSEWHERE = {
  host: 'elsewhere.example',
  'x-forwarded-host': 'elsewhere.example',
  'x-forwarded-proto': 'http',
}

t.test('AFTERWORD_PUBLIC_URL is an address with a path, without a slash at its end', async (t) => {
  for (const [given, url] of [
    ['https://Blog.example', 'https://blog.example'],
    ['https://blog.example:8443/', 'https://blog.example:8443'],
    ['http://[::1]:3000/a/b-c/', 'http://[::1]:3000/a/b-c'],
    [URL_OF, URL_OF],
    ['', ''],
  ])
    t.equal(readConfig({ AFTERWORD_PUBLIC_URL: given! }).publicUrl, url)
  const wrong = ['blog.example', '/comments', 'ftp://a.example', 'https://', 'https://a.example/?b']
  for (const url of [
    ...wrong,
    'https://a.example/#b',
    'https://u:p@a.example',
    'https://a.example/"',
  ])
    t.throws(() => readConfig({ AFTERWORD_PUBLIC_URL: url }), /AFTERWORD_PUBLIC_URL must/)
})

t.test('Location and Link begin with the public address', async (t) => {
  const { post, call, get, admin, adminKey: token } = await open(t)
  const headers = ELSEWHERE
  const first = await call('POST', `${SITE}/articles/a/comments`, {
    headers,
    body: { body: 'one', author: { name: 'Ada' } },
  })
  t.equal(first.headers.location, `${URL_OF}${SITE}/comments/${first.body.id}`)
  await post('a', 'two')
  const link = new RegExp(`^<${URL_OF}${SITE}/articles/a/comments\\?.*cursor=[\\w-]+>; rel="next"$`)
  for (const _ of ['the long way', 'the short way'])
    t.match((await get('/articles/a/comments?limit=1', { headers })).headers.link, link)
  const site = await admin('POST', '/v1/sites', { slug: 'other', name: 'Other' })
  t.equal(site.headers.location, `${URL_OF}/v1/sites/other`)
  const file = { 'content-type': 'application/octet-stream' }
  const started = await call('POST', `${SITE}/imports`, { token, headers: file, body: 'x' })
  t.equal(started.headers.location, `${URL_OF}${SITE}/imports/${started.body.id}`)
})

t.test('a known request has the same Link as the request before it', async (t) => {
  const { post, app } = await open(t)
  for (const body of ['one', 'two']) await post('a', body)
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  const links = new Set<string | null>()
  for (let n = 0; n < 3; n++)
    links.add((await fetch(`${address}${SITE}/articles/a/comments?limit=1`)).headers.get('link'))
  t.equal(links.size, 1)
  t.match([...links][0], `<${URL_OF}/v1/`)
})

const avatarsOf = (json: string): string[] =>
  [...json.matchAll(/"avatar_url":"([^"]*)"/g)].map(([, url]) => url!)

t.test('avatar_url is absolute if the public address is known, and a path if not', async (t) => {
  for (const publicUrl of [URL_OF, '']) {
    const service: TestService = await openService(t, publicUrl === '' ? {} : { publicUrl })
    const { author, ...comment } = await service.post('a', 'one')
    const expected = `${publicUrl}/v1/avatars/${author.id}.svg`
    await service.call('PATCH', `${SITE}/members/grace`, {
      token: service.adminKey,
      body: { name: 'Grace', roles: ['moderator'], listed: true },
    })
    t.equal(author.avatar_url, expected)
    for (const path of [
      '/articles/a/comments',
      '/articles/a/comments?view=flat&include=config,staff',
      `/comments/${comment.id}`,
      '/comments',
    ])
      t.same(avatarsOf((await service.get(path)).text), [expected], path)
    t.match(avatarsOf((await service.get('/staff')).text), [
      new RegExp(`^${publicUrl}/v1/avatars/a`),
    ])
    const html = (await service.get('/articles/a/comments.html')).text
    const service_ = publicUrl || 'http://localhost:80'
    t.match(html, `src="${service_}/v1/avatars/${author.id}.svg"`)
  }
})

t.test(
  'pages without JavaScript link to the public address, whatever a client sends',
  async (t) => {
    const { get, post, call, admin } = await open(t)
    await admin('PATCH', SITE, { origins: ['https://listed.example'] })
    for (let n = 0; n < 3; n++) await post('a/b', `comment ${n}`)
    const article = `${SITE}/articles/${encodeURIComponent('a/b')}`
    const page = await get(`/articles/${encodeURIComponent('a/b')}/comments.html?page=1&limit=1`, {
      headers: ELSEWHERE,
    })
    const urls = [...page.text.matchAll(/(?:href|action|src)="(https?:[^"]*)"/g)].map(
      ([, url]) => url!,
    )
    t.ok(urls.length > 4)
    t.same(
      urls.filter((url) => !url.startsWith(`${URL_OF}/v1/`)),
      [],
    )
    t.match(page.text, `action="${URL_OF}${article}/comments.form"`)
    const form = /name="form" value="([^"]*)"/.exec(page.text)![1]!
    const send = (origin: string) =>
      call('POST', `${article}/comments.form`, {
        headers: { ...ELSEWHERE, origin, 'content-type': 'application/x-www-form-urlencoded' },
        body: `${new URLSearchParams({ form, name: 'Ada', body: `from ${origin}` })}`,
      })
    const sent = await send('https://blog.example')
    t.equal(sent.status, 303)
    t.match(sent.headers.location, `${URL_OF}${article}/comments.html?page=1&focus=c`)
    t.match(await send('http://elsewhere.example'), { status: 403 })
  },
)

t.test(
  'the description and the first pages follow the public address, or are relative',
  async (t) => {
    const { call } = await open(t)
    const headers = ELSEWHERE
    const description = parse((await call('GET', '/openapi.yaml', { headers })).text) as Json
    t.same(description.servers, [{ url: URL_OF }])
    const first = (await call('GET', '/', { headers })).text
    t.match(first, `src="${URL_OF}/embed.js"`)
    t.notMatch(first, 'elsewhere')
    for (const path of ['/', '/docs']) {
      const { text } = await call('GET', path)
      t.notMatch(
        text,
        /(?:href|src|"url":)\s*[=]?\s*"\/[^/]/,
        `${path} has no address from the root`,
      )
    }
    const { headers: redirect } = await call('GET', '/docs/')
    t.equal(new URL(redirect.location, `${URL_OF}/docs/`).href, `${URL_OF}/docs`)
  },
)
