import { createHash, randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import t from 'tap'
import { ISSUER, SECRET, SIGN_ON, signToken } from '../members.ts'
import { skipShared } from '../redis/own-server.ts'
import { createDatabase } from '../servers.ts'
import { start } from '../start.ts'

/**
 * What must stay inside is marked, in two sites; then everything that anybody can ask for is asked
 * for, and every byte that came out, was logged or went to Redis is searched for the marks and for
 * what usual hashes make of them.
 */

const ADMIN = 'an-admin-key-of-the-canary-crawl'
const ADDRESS = '203.0.113.77'
const RUN = randomBytes(6).toString('hex')
const SITES = ['default', 'other']

type Json = Record<string, any>
type Heard = { name: string; text: string }

const mark = (what: string): string => `canary-${what}-${RUN}`

/** What nobody may find, but for who it belongs to and the moderators. */
const marksOf = (site: string): string[] => [
  ...['email', 'held', 'spam', 'rejected', 'deleted', 'before', 'note', 'flag', 'subject'].map(
    (what) => mark(`${what}-${site}`),
  ),
  `${mark(`email-${site}`)}@example.org`,
  mark(`name-${site}`),
  ADDRESS,
  '203.0.113.0/24',
  SECRET,
  ADMIN,
]

/** As it is, and as addresses are known by elsewhere. */
const traces = (text: string): string[] => [
  text,
  ...['md5', 'sha1', 'sha256'].flatMap((hash) =>
    (['hex', 'base64url'] as const).map((encoding) =>
      createHash(hash).update(text).digest(encoding).slice(0, 22),
    ),
  ),
]

t.test('no mark gets out', { skip: skipShared }, async (t) => {
  const { url } = await createDatabase(t)
  const service = start(t, {
    DATABASE_URL: url,
    REDIS_URL: process.env.TEST_REDIS_URL!,
    AFTERWORD_ADMIN_KEY: ADMIN,
    AFTERWORD_TRUSTED_PROXIES: '127.0.0.1',
    AFTERWORD_LIMIT_READ: '0',
    AFTERWORD_LIMIT_WRITE: '100000',
  })
  const base = await service.ready()
  const send = createSender(base)
  for (const slug of SITES) await plant(send, slug)
  const heard = (await Promise.all(SITES.map((site) => crawl(base, site)))).flat()
  t.ok(heard.length > 250, `${heard.length} answers were heard`)
  t.ok(
    SITES.every((site) => heard.some(({ text }) => text.includes(mark(`open-${site}`)))),
    'what is public was found',
  )
  heard.push({ name: 'the log', text: service.out() + service.err() })
  heard.push(...(await readRedis()))
  const found = SITES.flatMap(marksOf)
    .flatMap(traces)
    .flatMap((trace) =>
      heard.filter(({ text }) => text.includes(trace)).map(({ name }) => `${trace} in ${name}`),
    )
  t.same(found, [])
})

type Send = (method: string, path: string, call?: { token?: string; body?: Json }) => Promise<Json>

const createSender =
  (base: string): Send =>
  async (method, path, { token, body } = {}) => {
    const answer = await fetch(`${base}/v1/sites${path}`, {
      method,
      headers: {
        'x-forwarded-for': ADDRESS,
        ...(body && { 'content-type': 'application/json' }),
        ...(token && { authorization: `Bearer ${token}` }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return text ? JSON.parse(text) : {}
  }

const plant = async (send: Send, slug: string): Promise<void> => {
  const admin = { token: ADMIN }
  if (slug !== 'default') await send('POST', '', { ...admin, body: { slug, name: 'Other' } })
  await send('PATCH', `/${slug}`, { ...admin, body: { sign_on: SIGN_ON } })
  const said = (what: string) => mark(`${what}-${slug}`)
  const post = (body: string, more: Json = {}, token?: string) =>
    send('POST', `/${slug}/articles/a/comments`, {
      ...(token && { token }),
      body: {
        body,
        ...(!token && { author: { name: 'Ada', email: `${said('email')}@example.org` } }),
        ...more,
      },
    })
  const decide = (id: string, to: string) =>
    send('POST', `/${slug}/comments/${id}/decisions`, {
      ...admin,
      body: { from: 'approved', to, reason: 'spam', note: said('note') },
    })
  const open = await post(said('open'))
  const edited = await post(said('before'))
  await send('PATCH', `/${slug}/comments/${edited.id}`, {
    token: edited.guest_token,
    body: { body: 'after' },
  })
  for (const to of ['pending', 'spam', 'rejected', 'deleted']) {
    const name = to === 'pending' ? 'held' : to
    const author = { name: said('name') }
    const hidden = await post(said(name), { author, parent_id: open.id })
    if (to === 'spam') await post('a reply that stays', { parent_id: hidden.id })
    await decide(hidden.id, to)
  }
  const member = await signToken({
    sub: said('subject'),
    iss: ISSUER,
    aud: slug,
    email: `${said('email')}@example.org`,
  })
  await post('of a member', {}, member)
  await send('PUT', `/${slug}/comments/${open.id}/vote`, { token: member, body: { value: 1 } })
  await send('POST', `/${slug}/comments/${open.id}/flags`, {
    token: member,
    body: { reason: 'other', note: said('flag') },
  })
}

/** Asks for all that anybody can ask for, and for what is refused, and follows every id it is given. */
const crawl = async (base: string, site: string): Promise<Heard[]> => {
  const heard: Heard[] = []
  const ids = new Set(
    Array.from({ length: 40 }, (_, n) => `c${(n % 3) + 1}-${(n + 1).toString(36)}`),
  )
  const authors = new Set(Array.from({ length: 40 }, (_, n) => `a${(n + 1).toString(36)}`))
  const ask = async (method: string, path: string, body?: Json): Promise<void> => {
    const answer = await fetch(`${base}${path}`, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
    const text = `${answer.status} ${JSON.stringify([...answer.headers])} ${await answer.text()}`
    for (const [id] of text.matchAll(/"c\w+-\w+"/g)) ids.add(id.slice(1, -1))
    for (const [id] of text.matchAll(/"a[0-9a-z]{1,6}"/g)) authors.add(id.slice(1, -1))
    heard.push({ name: `${method} ${path}`, text })
  }
  const at = `/v1/sites/${site}`
  for (const path of [
    '',
    '/config',
    '/staff',
    '/articles',
    '/comments?excerpt=80',
    '/counts?article_id=a',
  ])
    await ask('GET', `${at}${path}`)
  for (const sort of ['newest', 'oldest', 'top', 'best', 'hot', 'controversial', 'active'])
    for (const view of ['tree', 'flat'])
      await ask('GET', `${at}/articles/a/comments?view=${view}&sort=${sort}&depth=10&replies=50`)
  for (const path of [
    '/articles/a',
    '/articles/a/viewer',
    '/comments?parent=reply',
    '/comments?article_id=a',
  ])
    await ask('GET', `${at}${path}`)
  for (const path of [
    '/moderation/comments',
    '/moderation/decisions',
    '/moderation/counts',
    '/audit',
    '/keys',
  ])
    await ask('GET', `${at}${path}`)
  await ask('GET', `${at}/members/${mark(`subject-${site}`).slice(0, 6)}`)
  for (const id of ids) {
    for (const path of ['', '?context=10', '/replies', '/revisions'])
      await ask('GET', `${at}/comments/${id}${path}`)
    await ask('PUT', `${at}/comments/${id}/vote`, { value: 1 })
    await ask('POST', `${at}/articles/a/comments`, { body: '', parent_id: id })
  }
  for (const id of authors) {
    await ask('GET', `${at}/authors/${id}/comments`)
    await ask('GET', `${at}/authors/${id}/export`)
    await ask('GET', `/v1/avatars/${id}.svg`)
  }
  await ask('POST', `${at}/preview`, { body: 'x' })
  for (const path of ['/v1/sites', '/v1/keys', '/v1/audit', '/metrics', '/readyz', '/openapi.yaml'])
    await ask('GET', path)
  return heard
}

const readRedis = async (): Promise<Heard[]> => {
  const redis = new Redis(process.env.TEST_REDIS_URL!)
  const keys = await redis.keys('*')
  const values = await Promise.all(keys.map((key) => redis.getBuffer(key)))
  await redis.quit()
  return keys.map((key, i) => ({
    name: `Redis: ${key}`,
    text: `${key} ${values[i]?.toString('latin1')}`,
  }))
}
