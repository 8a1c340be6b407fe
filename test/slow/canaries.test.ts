import { createHash, randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import t from 'tap'
import { parse } from 'yaml'
import type { IdKind } from '../../src/domain/public-id.ts'
import { idsOf } from '../ids.ts'
import { ISSUER, SECRET, SIGN_ON, signToken } from '../members.ts'
import { skipShared } from '../redis/own-server.ts'
import { createDatabase } from '../servers.ts'
import { start } from '../start.ts'

/**
 * The test marks private data in two sites. It then calls every operation without a credential and as an
 * uninvolved guest, and searches all responses, the log and Redis for the marks and their usual hashes.
 */

/** The page whose comments name their articles. */
const PAGE = 'https://page.example'

const ADMIN = 'an-admin-key-of-the-canary-crawl'
const ADDRESS = '203.0.113.77'
const RUN = randomBytes(6).toString('hex')
const SITES = ['default', 'other']

type Json = Record<string, any>
type Heard = { name: string; text: string; operation?: string }

const mark = (what: string): string => `canary-${what}-${RUN}`

const MARKED =
  'email held spam rejected deleted never title before note flag subject reason about appeal answer shadow ban'.split(
    ' ',
  )

/** Texts that only their owner and the moderators may read. */
const marksOf = (site: string): string[] => [
  ...MARKED.map((what) => mark(`${what}-${site}`)),
  `${mark(`email-${site}`)}@example.org`,
  mark(`name-${site}`),
  mark(`secret-of-a-check-${site}`),
  ADDRESS,
  '203.0.113.0/24',
  SECRET,
  ADMIN,
]

/** As it is, and as addresses are known by elsewhere. */
const traces = (text: string): string[] => [
  text,
  ...['md5', 'sha1', 'sha256'].flatMap((hash) =>
    (['hex', 'base64', 'base64url'] as const).map((encoding) =>
      createHash(hash).update(text).digest(encoding).slice(0, 22),
    ),
  ),
]

t.test(
  'no marked secret leaves the service in a response, a log or Redis',
  { skip: skipShared },
  async (t) => {
    const { url } = await createDatabase(t)
    const service = start(t, {
      DATABASE_URL: url,
      REDIS_URL: process.env.TEST_REDIS_URL!,
      AFTERWORD_ADMIN_KEY: ADMIN,
      AFTERWORD_TRUSTED_PROXIES: '127.0.0.1',
      AFTERWORD_LIMIT_READ: '0',
      AFTERWORD_LIMIT_WRITE: '100000',
      LOG_LEVEL: 'trace',
    })
    const base = await service.ready()
    const send = createSender(base)
    for (const slug of SITES) await plant(send, slug)
    const operations = await listOperations(base)
    const heard: Heard[] = []
    for (const site of SITES) {
      const guest = (await send('POST', `/${site}/guests`, { body: { name: 'Mallory' } }))
        .guest_token
      for (const token of [undefined, guest])
        heard.push(...(await crawl(base, { site, token, operations })))
      t.match(await send('GET', `/${site}/articles/a/viewer`, { token: guest }), { may_post: true })
    }
    const asked = new Set(heard.map(({ operation }) => operation))
    t.same(
      operations.filter(({ id }) => !asked.has(id)),
      [],
      'every operation was asked for',
    )
    const redis = await readRedis()
    for (const places of [heard, redis])
      t.ok(
        SITES.every((site) => places.some(({ text }) => text.includes(mark(`open-${site}`)))),
        'what is public was found',
      )
    heard.push(...redis, { name: 'the log', text: service.out() + service.err() })
    const found = SITES.flatMap(marksOf)
      .flatMap(traces)
      .flatMap((trace) =>
        heard.filter(({ text }) => text.includes(trace)).map(({ name }) => `${trace} in ${name}`),
      )
    t.same(found, [])
  },
)

type Send = (method: string, path: string, call?: { token?: string; body?: Json }) => Promise<Json>

const createSender =
  (base: string): Send =>
  async (method, path, { token, body } = {}) => {
    const answer = await fetch(`${base}/v1/sites${path}`, {
      method,
      headers: {
        'x-forwarded-for': ADDRESS,
        ...(body && { 'content-type': 'application/json', origin: PAGE }),
        ...(token && { authorization: `Bearer ${token}` }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return text ? JSON.parse(text) : {}
  }

/** Asked about everything, and never there. */
const checksOf = (slug: string): Json[] => {
  const secret = mark(`secret-of-a-check-${slug}`)
  const url = 'https://localhost:1'
  return [
    { name: 'own', kind: 'http', url, secret },
    { name: 'akismet', kind: 'akismet', url, secret, site_url: 'https://blog.example' },
  ]
}

/** Somebody who is seen by itself alone, wherever it writes, and an e-mail that is banned. */
const plantShadow = async (
  send: Send,
  slug: string,
  { said, under }: { said: (what: string) => string; under: string },
): Promise<void> => {
  const ban = (body: Json) =>
    send('POST', `/${slug}/moderation/bans`, {
      token: ADMIN,
      body: { effect: 'shadow', note: said('ban'), ...body },
    })
  const eve = await send('POST', `/${slug}/guests`, { body: { name: said('name') } })
  await ban({ kind: 'author', value: eve.author.id })
  await ban({ kind: 'email', value: `${said('ban')}@example.org` })
  const token = eve.guest_token
  const post = (article: string, more: Json = {}) =>
    send('POST', `/${slug}/articles/${article}/comments`, {
      token,
      body: { body: said('shadow'), article: { title: said('shadow'), url: PAGE }, ...more },
    })
  const root = await post('a')
  await post('a', { parent_id: under })
  await post('a', { parent_id: root.id })
  await post('never')
  await send('PATCH', `/${slug}/comments/${root.id}`, {
    token,
    body: { body: `${said('shadow')}, edited` },
  })
}

const plant = async (send: Send, slug: string): Promise<void> => {
  const admin = { token: ADMIN }
  if (slug !== 'default') await send('POST', '', { ...admin, body: { slug, name: 'Other' } })
  await send('PATCH', `/${slug}`, { ...admin, body: { sign_on: SIGN_ON, checks: checksOf(slug) } })
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
  const moderator = await signToken({ sub: 'm', iss: ISSUER, aud: slug, role: 'moderator' })
  const appeal = async ({ id, guest_token: token }: Json) => {
    const body = { text: said('appeal') }
    const appealed = await send('POST', `/${slug}/comments/${id}/appeals`, { token, body })
    await send('POST', `/${slug}/moderation/appeals/${appealed.id}/answers`, {
      token: moderator,
      body: { outcome: 'upheld', note: said('answer') },
    })
  }
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
    await appeal(hidden)
  }
  await send('PATCH', `/${slug}`, { ...admin, body: { moderation: 'pre' } })
  const author = { name: said('name') }
  for (const id of ['a', 'never'])
    await send('POST', `/${slug}/articles/${id}/comments`, {
      body: { body: said('never'), author, article: { title: said('title'), url: PAGE } },
    })
  await send('PATCH', `/${slug}`, { ...admin, body: { moderation: 'post' } })
  await plantShadow(send, slug, { said, under: open.id })
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

type Operation = { id: string; method: string; path: string; body: Json | undefined }

/** All that the service describes, each with the first example of its body. */
const listOperations = async (base: string): Promise<Operation[]> => {
  const { paths, components } = parse(await (await fetch(`${base}/openapi.yaml`)).text())
  const exampleOf = ({ requestBody }: Json): Json | undefined => {
    const name = requestBody?.content['application/json']?.schema.$ref.split('/').at(-1)
    return name && components.schemas[name].examples[0]
  }
  return Object.entries<Json>(paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods).map(([method, operation]) => ({
      id: operation.operationId,
      method: method.toUpperCase(),
      path,
      body: exampleOf(operation),
    })),
  )
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1)

const idsUpTo = (kind: IdKind, count: number): string[] =>
  [1, 2].flatMap((site) => upTo(count).map((id) => idsOf(site).write(kind, id)))

/** All that were planted, in both threads of both sites, and some that are not there. */
const IN_PATHS: Record<string, readonly string[]> = {
  comments: [1, 2].flatMap((site) =>
    upTo(4).flatMap((threadId) => upTo(24).map((id) => idsOf(site).writeComment({ threadId, id }))),
  ),
  authors: idsUpTo('author', 20),
  avatars: idsUpTo('author', 20),
  keys: idsUpTo('key', 2),
  reasons: idsUpTo('reason', 2),
  appeals: idsUpTo('appeal', 4),
  batches: idsUpTo('batch', 2),
  decisions: idsUpTo('decision', 4),
  imports: idsUpTo('import', 2),
  bans: idsUpTo('ban', 2),
}

/** Values of the path parameters: each article and every id. */
const fill = (path: string, site: string): string[] => {
  const at = path
    .replace('{site}', site)
    .replace('{version}', '0')
    .replace('{alias}', 'never')
    .replace('{subject}', mark(`subject-${site}`).slice(0, 6))
  const [, noun] = /([a-z]+)\/\{id\}/.exec(at) ?? []
  if (noun) return IN_PATHS[noun]!.map((id) => at.replace('{id}', id))
  const articles = ['a', 'never'].map((id) => at.replace('{article_id}', id))
  return [...new Set(articles)]
}

const SORTS = ['newest', 'oldest', 'top', 'best', 'hot', 'controversial', 'active']

/** Query parameters that make reads return more. */
const QUERIES: Record<string, readonly string[]> = {
  getComment: ['?context=10'],
  listRecent: ['?excerpt=80', '?parent=reply', '?article_id=a', '?article_id=never'],
  countComments: ['?article_id=a&article_id=never'],
  listThread: SORTS.flatMap((sort) =>
    ['tree', 'flat'].map((view) => `?view=${view}&sort=${sort}&depth=10&replies=50`),
  ),
}

type Crawl = { site: string; token: string | undefined; operations: readonly Operation[] }

/** Asks for everything with every id, without the bytes of a packed answer. */
const crawl = async (base: string, { site, token, operations }: Crawl): Promise<Heard[]> => {
  const ask = async ({ id, method, body }: Operation, path: string): Promise<Heard> => {
    const answer = await fetch(`${base}${path}`, {
      method,
      headers: {
        'accept-encoding': 'identity',
        ...(body && { 'content-type': 'application/json', origin: PAGE }),
        ...(token && { authorization: `Bearer ${token}` }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = `${answer.status} ${JSON.stringify([...answer.headers])} ${await answer.text()}`
    return { name: `${method} ${path}`, operation: id, text }
  }
  const heard: Heard[] = []
  for (const operation of operations) {
    const paths = fill(operation.path, site).flatMap((path) =>
      ['', ...(QUERIES[operation.id] ?? [])].map((query) => `${path}${query}`),
    )
    heard.push(...(await Promise.all(paths.map((path) => ask(operation, path)))))
  }
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
