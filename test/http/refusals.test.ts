import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { IDS } from '../ids.ts'
import { openService, type ServiceOptions, type TestService } from '../service.ts'
import { listen, openRaw, type RawAnswer } from './sockets.ts'

const SITE = '/v1/sites/default'
const COMMENTS = `${SITE}/articles/a/comments`
const JSON_TYPE = 'Content-Type: application/json\r\n'
const GOOD = '{"body":"x","author":{"name":"Ada"}}'

type Bytes = string | Buffer
/** A request, the status and code of its response, and whether the response ends the connection. */
type Case = [name: string, bytes: Bytes, status: number, code: string, closes?: 'closes']

const get = (path: string, headers = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`

const post = (body: Bytes, { path = COMMENTS, headers = JSON_TYPE } = {}): Buffer => {
  const bytes = Buffer.from(body as string)
  const head = `POST ${path} HTTP/1.1\r\nHost: a\r\n${headers}Content-Length: ${bytes.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), bytes])
}

const postFields = (fields: object, path = COMMENTS) => post(JSON.stringify(fields), { path })
const nest = (depth: number) => `{"body":${'['.repeat(depth)}${']'.repeat(depth)}}`
const chunked = (chunks: string, headers = 'Transfer-Encoding: chunked\r\n') =>
  `POST ${COMMENTS} HTTP/1.1\r\nHost: a\r\n${JSON_TYPE}${headers}\r\n${chunks}`
const smuggled = `0\r\n\r\n${post(GOOD).toString()}`

const ADDRESSES: Case[] = [
  ['malformed percent-encoding in a path', get(`${SITE}/articles/%zz`), 400, 'invalid_request'],
  ['a lone % in a path', get(`${SITE}/articles/50%`), 400, 'invalid_request'],
  ['bytes that are not UTF-8 in a path', get(`${SITE}/articles/%ff`), 400, 'invalid_request'],
  ['half a surrogate pair in a path', get(`${SITE}/articles/%ed%a0%80`), 400, 'invalid_request'],
  ['U+0000 in a path', get(`${SITE}/articles/a%00b`), 400, 'invalid_request'],
  [
    'malformed percent-encoding in a query',
    get(`${SITE}/comments?author_id=%zz`),
    400,
    'invalid_request',
  ],
  ['a lone % in a query', get(`${SITE}/comments?author_id=%`), 400, 'invalid_request'],
  [
    'bytes that are not UTF-8 in a query',
    get(`${SITE}/comments?author_id=%ff`),
    400,
    'invalid_request',
  ],
  ['U+0000 in a query', get(`${SITE}/comments?article_id=%00`), 400, 'invalid_request'],
  [
    'an article id of 2,049 characters',
    get(`${SITE}/articles/${'a'.repeat(2_049)}`),
    400,
    'invalid_request',
  ],
  ['an empty article id', get(`${SITE}/articles/`), 400, 'invalid_request'],
  ['a path that is too long', get(`/${'a'.repeat(57_400)}`), 414, 'uri_too_long'],
  [
    'an article id that is too long',
    get(`${SITE}/articles/${'a'.repeat(57_400)}`),
    414,
    'uri_too_long',
  ],
  [
    'a query that is too long',
    get(`${SITE}/comments?author_id=${'a'.repeat(57_400)}`),
    414,
    'uri_too_long',
  ],
  ['an unknown route', get('/nope'), 404, 'not_found'],
  ['an unknown route of a site', get(`${SITE}/nope`), 404, 'not_found'],
  ['an unknown site', get('/v1/sites/nope/articles/a'), 404, 'not_found'],
  ['a site that cannot be', get('/v1/sites/__proto__/articles/a'), 404, 'not_found'],
  [
    'another method on a known route',
    `PUT ${COMMENTS} HTTP/1.1\r\nHost: a\r\n\r\n`,
    405,
    'method_not_allowed',
  ],
  [
    'a method for proxies',
    `TRACE ${COMMENTS} HTTP/1.1\r\nHost: a\r\n\r\n`,
    405,
    'method_not_allowed',
  ],
]

const QUERIES: Case[] = [
  ['an unknown parameter', get(`${COMMENTS}?nope=1`), 400, 'invalid_request'],
  ['a parameter called __proto__', get(`${COMMENTS}?__proto__=1`), 400, 'invalid_request'],
  ['a parameter twice', get(`${COMMENTS}?limit=1&limit=1`), 400, 'invalid_request'],
  ['a text parameter twice', get(`${COMMENTS}?sort=top&sort=top`), 400, 'invalid_request'],
  ['a parameter with brackets', get(`${COMMENTS}?limit[]=1`), 400, 'invalid_request'],
  ['a word for a number', get(`${COMMENTS}?limit=many`), 400, 'invalid_request'],
  ['nothing for a number', get(`${COMMENTS}?limit=`), 400, 'invalid_request'],
  ['1e3 for a number', get(`${COMMENTS}?limit=1e1`), 400, 'invalid_request'],
  ['1e999 for a number', get(`${COMMENTS}?at_least=1e999`), 400, 'invalid_request'],
  ['a fraction', get(`${COMMENTS}?limit=1.5`), 400, 'invalid_request'],
  ['a sign', get(`${COMMENTS}?limit=%2B5`), 400, 'invalid_request'],
  ['a leading zero', get(`${COMMENTS}?limit=05`), 400, 'invalid_request'],
  ['hexadecimal', get(`${COMMENTS}?limit=0x5`), 400, 'invalid_request'],
  ['limit 0', get(`${COMMENTS}?limit=0`), 400, 'invalid_request'],
  ['limit 101', get(`${COMMENTS}?limit=101`), 400, 'invalid_request'],
  ['limit -1', get(`${COMMENTS}?limit=-1`), 400, 'invalid_request'],
  ['depth 11', get(`${COMMENTS}?depth=11`), 400, 'invalid_request'],
  ['replies 51', get(`${COMMENTS}?replies=51`), 400, 'invalid_request'],
  ['a version above all', get(`${COMMENTS}?at_least=9007199254740993`), 400, 'invalid_request'],
  ['251 article ids', get(`${SITE}/counts?${'article_id=a&'.repeat(251)}`), 400, 'invalid_request'],
  ['no article ids', get(`${SITE}/counts`), 400, 'invalid_request'],
  ['a cursor of nobody', get(`${COMMENTS}?cursor=AAAA`), 400, 'invalid_cursor'],
]

const BODIES: Case[] = [
  ['bad JSON', post('{'), 400, 'invalid_request', 'closes'],
  ['an empty body', post(''), 400, 'invalid_request', 'closes'],
  ['no body', post('', { headers: '' }), 400, 'invalid_request'],
  ['null', post('null'), 400, 'invalid_request'],
  ['an array', post('[]'), 400, 'invalid_request'],
  ['two JSON texts', post(`${GOOD}${GOOD}`), 400, 'invalid_request', 'closes'],
  ['no content type', post(GOOD, { headers: '' }), 415, 'unsupported_media_type'],
  ['text', post(GOOD, { headers: 'Content-Type: text/plain\r\n' }), 415, 'unsupported_media_type'],
  [
    'a form',
    post('body=x', { headers: 'Content-Type: application/x-www-form-urlencoded\r\n' }),
    415,
    'unsupported_media_type',
  ],
  [
    'JSON of another kind',
    post(GOOD, { headers: 'Content-Type: application/ld+json\r\n' }),
    415,
    'unsupported_media_type',
  ],
  [
    'a content type that is none',
    post(GOOD, { headers: 'Content-Type: ;;;\r\n' }),
    415,
    'unsupported_media_type',
  ],
  [
    'more than 64 KiB',
    post(JSON.stringify({ body: 'x'.repeat(65_536) })),
    413,
    'body_too_large',
    'closes',
  ],
  [
    'more than 64 KiB, as announced',
    `${post('{').toString().replace('Length: 1', 'Length: 65537')}`,
    413,
    'body_too_large',
    'closes',
  ],
  [
    'more than 64 KiB, in chunks',
    chunked(`11000\r\n${'x'.repeat(0x11000)}\r\n0\r\n\r\n`),
    413,
    'body_too_large',
    'closes',
  ],
  [
    'more than 1 MiB of article ids',
    post(`"${'x'.repeat(1_048_576)}"`, { path: `${SITE}/counts` }),
    413,
    'body_too_large',
    'closes',
  ],
  [
    '1001 article ids',
    postFields({ article_ids: Array(1001).fill('a') }, `${SITE}/counts`),
    400,
    'invalid_request',
  ],
  ['JSON of 9 levels', post(nest(8)), 400, 'invalid_request', 'closes'],
  ['JSON of 30,000 levels', post(nest(30_000)), 400, 'invalid_request', 'closes'],
  [
    'invalid UTF-8',
    post(Buffer.from(GOOD.replace('x', '\xff'), 'latin1')),
    400,
    'invalid_request',
    'closes',
  ],
  ['UTF-16', post(Buffer.from(GOOD, 'utf16le')), 400, 'invalid_request', 'closes'],
  ['__proto__', post('{"__proto__":{},"body":"x"}'), 400, 'invalid_request', 'closes'],
  ['an unknown field', postFields({ ...JSON.parse(GOOD), nope: 1 }), 400, 'invalid_request'],
  [
    'an unknown field further in',
    postFields({ body: 'x', author: { name: 'Ada', id: 1 } }),
    400,
    'invalid_request',
  ],
  ['a number for a text', postFields({ body: 5, author: { name: 'Ada' } }), 400, 'invalid_request'],
  ['1e999 for a text', post('{"body":1e999}'), 400, 'invalid_request'],
  ['a text for a list', postFields({ article_ids: 'a' }, `${SITE}/counts`), 400, 'invalid_request'],
  [
    'a number in a list',
    postFields({ article_ids: [1] }, `${SITE}/counts`),
    400,
    'invalid_request',
  ],
  [
    'an unknown parameter of a write',
    post(GOOD, { path: `${COMMENTS}?nope=1` }),
    400,
    'invalid_request',
  ],
  [
    'a short Idempotency-Key',
    post(GOOD, { headers: `${JSON_TYPE}Idempotency-Key: short\r\n` }),
    400,
    'invalid_request',
  ],
  [
    'an unknown expectation',
    post('{}', { headers: `${JSON_TYPE}Expect: 200-maybe\r\n` }),
    400,
    'invalid_request',
  ],
]

/** Every place of a string, with what Postgres would not keep. */
const STRINGS: Case[] = ['\\u0000', '\\ud800', '\\udc00'].flatMap((bad) =>
  Object.entries({
    body: `{"body":"x${bad}","author":{"name":"Ada"}}`,
    name: `{"body":"x","author":{"name":"Ada${bad}"}}`,
    email: `{"body":"x","author":{"name":"Ada","email":"a${bad}@a.example"}}`,
    url: `{"body":"x","author":{"name":"Ada","url":"https://a.example/${bad}"}}`,
    title: `{"body":"x","author":{"name":"Ada"},"article":{"title":"a${bad}"}}`,
    parent: `{"body":"x","author":{"name":"Ada"},"parent_id":"c1-1${bad}"}`,
    'field name': `{"body":"x","author":{"name":"Ada"},"a${bad}":1}`,
  }).map(
    ([place, body]): Case => [
      `${bad.slice(1)} in ${place}`,
      post(body),
      400,
      'invalid_request',
      'closes',
    ],
  ),
)

const HTTP: Case[] = [
  ['no host', 'GET /v1/sites/default/articles/a HTTP/1.1\r\n\r\n', 400, 'invalid_request'],
  ['two hosts', get(`${SITE}/articles/a`, 'Host: b\r\n'), 400, 'invalid_request'],
  [
    'a header that is too large',
    get('/livez', `X: ${'a'.repeat(100_000)}\r\n`),
    431,
    'headers_too_large',
    'closes',
  ],
  [
    'very many headers',
    get('/livez', 'X: aaaaaaaa\r\n'.repeat(8000)),
    431,
    'headers_too_large',
    'closes',
  ],
  [
    'a first line that is too large',
    get(`/${'a'.repeat(100_000)}`),
    431,
    'headers_too_large',
    'closes',
  ],
  [
    'an unknown method',
    `BREW ${COMMENTS} HTTP/1.1\r\nHost: a\r\n\r\n`,
    400,
    'invalid_request',
    'closes',
  ],
  [
    'HTTP/2 with prior knowledge',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    400,
    'invalid_request',
    'closes',
  ],
  [
    'a version that is none',
    'GET /livez HTTP/9.9\r\nHost: a\r\n\r\n',
    400,
    'invalid_request',
    'closes',
  ],
  ['TLS', Buffer.from('\x16\x03\x01\x02\x00\x01\x00', 'latin1'), 400, 'invalid_request', 'closes'],
  ['bare line feeds', 'GET /livez HTTP/1.1\nHost: a\n\n', 400, 'invalid_request', 'closes'],
  ['a folded header', get('/livez', 'X: a\r\n b\r\n'), 400, 'invalid_request', 'closes'],
  ['U+0000 in a header', get('/livez', 'X: a\0b\r\n'), 400, 'invalid_request', 'closes'],
  [
    'raw bytes in a path',
    Buffer.from(get(`${SITE}/articles/\xff`), 'latin1'),
    400,
    'invalid_request',
    'closes',
  ],
]

const SMUGGLING: Case[] = [
  [
    'Content-Length and Transfer-Encoding',
    chunked(smuggled, 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n'),
    400,
    'invalid_request',
    'closes',
  ],
  [
    'Transfer-Encoding and Content-Length',
    chunked(smuggled, 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n'),
    400,
    'invalid_request',
    'closes',
  ],
  [
    'two lengths',
    chunked(smuggled, 'Content-Length: 4\r\nContent-Length: 5\r\n'),
    400,
    'invalid_request',
    'closes',
  ],
  [
    'a length with a sign',
    chunked(smuggled, 'Content-Length: +5\r\n'),
    400,
    'invalid_request',
    'closes',
  ],
  [
    'a space before the colon',
    chunked(smuggled, 'Transfer-Encoding : chunked\r\n'),
    400,
    'invalid_request',
    'closes',
  ],
  [
    'another encoding',
    chunked(smuggled, 'Transfer-Encoding: xchunked\r\n'),
    400,
    'invalid_request',
    'closes',
  ],
  [
    'chunked, and then not',
    chunked(smuggled, 'Transfer-Encoding: chunked, identity\r\n'),
    400,
    'invalid_request',
    'closes',
  ],
  ['a chunk size that is none', chunked(`zz\r\n${smuggled}`), 400, 'invalid_request', 'closes'],
  [
    'a chunk longer than it says',
    chunked(`1\r\n{}\r\n${smuggled}`),
    400,
    'invalid_request',
    'closes',
  ],
]

const openServer = async (t: Test, options: ServiceOptions = {}) => {
  const service = await openService(t, options)
  return { service, port: await listen(service.app) }
}

const isProblem = (t: Test, name: string, answer: RawAnswer, status: number, code: string) => {
  const { headers, body } = answer
  t.match(
    { status: answer.status, code: body?.code, said: body?.status },
    { status, code, said: status },
    name,
  )
  t.match(
    headers,
    {
      'content-type': 'application/problem+json',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      vary: 'Origin',
    },
    `${name}: headers`,
  )
  t.strictSame(
    Object.keys(headers).filter((h) => h.endsWith('-credentials')),
    [],
  )
}

const tables = { ADDRESSES, QUERIES, BODIES, STRINGS, HTTP, SMUGGLING }
for (const [table, cases] of Object.entries(tables)) {
  t.test(`refused: ${table.toLowerCase()}`, async (t) => {
    const { service, port } = await openServer(t)
    for (const [name, bytes, status, code, closes] of cases) {
      const connection = await openRaw(t, port)
      connection.send(bytes)
      const answer = await connection.answer()
      isProblem(t, name, answer, status, code)
      t.equal(answer.closes, closes === 'closes', `${name}: connection`)
      if (closes) {
        t.equal(await connection.rest(), '', `${name}: nothing else is answered`)
        connection.finish()
      } else {
        connection.send(get('/livez'))
        t.equal((await connection.answer()).status, 200, `${name}: the next request is answered`)
      }
    }
    const { body } = await service.get('/articles/a')
    t.equal(body.comment_count, 0, 'none of it had an effect')
  })
}

t.test('requests that end too early are refused, and have no effect', async (t) => {
  const { service, port } = await openServer(t)
  const whole = post(GOOD)
  for (const length of [5, 30, whole.length - 40, whole.length - 1]) {
    const connection = await openRaw(t, port)
    connection.send(whole.subarray(0, length))
    connection.finish()
    isProblem(t, `${length} bytes`, await connection.answer(), 400, 'invalid_request')
    t.equal(await connection.rest(), '')
  }
  const silent = await openRaw(t, port)
  silent.finish()
  t.equal(await silent.rest(), '', 'nothing to answer')
  const tunnel = await openRaw(t, port)
  tunnel.send('CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n')
  t.equal(await tunnel.rest(), '', 'no tunnel')
  t.equal((await service.get('/articles/a')).body.comment_count, 0)
})

t.test('odd requests with one meaning are accepted', async (t) => {
  const { port } = await openServer(t)
  const odd: [string, Bytes, number][] = [
    ['a byte order mark', post(`\ufeff${GOOD}`), 201],
    ['U+FEFF in a text', post(GOOD.replace('x', '\ufeffx\ufeff')), 201],
    [
      'a content type with a parameter',
      post(GOOD, { headers: 'Content-Type: application/json; charset=utf-8\r\n' }),
      201,
    ],
    ['64 KiB', post(GOOD + ' '.repeat(65_536 - GOOD.length)), 201],
    [
      'chunks',
      chunked(`1\r\n{\r\n${(GOOD.length - 1).toString(16)}\r\n${GOOD.slice(1)}\r\n0\r\n\r\n`),
      201,
    ],
    ['an upgrade', get('/livez', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'), 200],
    ['raw bytes in a header', Buffer.from(get('/livez', 'X: \xff\r\n'), 'latin1'), 200],
    [
      'an article id of 2,048 characters',
      get(`${SITE}/articles/${'%F0%9F%99%82'.repeat(2_048)}`),
      200,
    ],
    ['a repeatable parameter', get(`${SITE}/comments?article_id=a&article_id=b`), 200],
  ]
  const connection = await openRaw(t, port)
  for (const [name, bytes, status] of odd) {
    connection.send(bytes)
    t.equal((await connection.answer()).status, status, name)
  }
})

const preflight = (service: TestService, origin: string, method = 'POST') =>
  service.call('OPTIONS', COMMENTS, {
    headers: {
      origin,
      'access-control-request-method': method,
      'access-control-request-headers': 'content-type',
    },
  })

const openShared = async (t: Test, origins: string[]): Promise<TestService> => {
  const service = await openService(t)
  const { status } = await service.call('PATCH', SITE, {
    token: service.adminKey,
    body: { origins },
  })
  t.equal(status, 200)
  return service
}

t.test('exact origins read and write, and other origins cannot', async (t) => {
  const service = await openShared(t, ['https://a.example'])
  const ask = (origin: string, method = 'GET') =>
    service.call(method, COMMENTS, {
      headers: { origin },
      ...(method === 'POST' && { body: JSON.parse(GOOD) }),
    })
  const others = [
    'null',
    'http://a.example',
    'https://a.example:8443',
    'https://a.example.b.example',
    'https://b.a.example',
    'https://A.example',
    'https://a.example/',
    '*',
    '',
  ]
  for (const origin of others) {
    const refused = {
      status: 403,
      headers: { 'access-control-allow-origin': '*', 'cache-control': 'no-store' },
      body: { code: 'origin_refused' },
    }
    t.match(await ask(origin), refused, origin)
    t.match(await ask(origin, 'POST'), refused, origin)
  }
  t.equal(
    (await ask('https://a.example')).headers['access-control-allow-origin'],
    'https://a.example',
  )
  t.equal((await ask('https://a.example', 'POST')).status, 201)
  t.equal((await service.post('a', 'x')).status, 'approved', 'programs send no origin')
})

t.test('the origin null cannot write, even where any origin can', async (t) => {
  const service = await openService(t)
  const ask = (origin: string) =>
    service.call('POST', COMMENTS, { headers: { origin }, body: JSON.parse(GOOD) })
  t.match(await ask('null'), { status: 403, body: { code: 'origin_refused' } })
  t.equal((await ask('https://any.example')).status, 201)
})

t.test('a preflight lists the allowed request headers, a response the readable ones', async (t) => {
  const service = await openShared(t, ['https://a.example'])
  const asked = await preflight(service, 'https://a.example', 'PATCH')
  t.equal(asked.status, 204)
  t.match(asked.headers, {
    'access-control-allow-origin': '*',
    'access-control-allow-headers':
      'authorization, content-type, if-match, if-none-match, idempotency-key',
    'access-control-max-age': '7200',
    vary: /Origin/,
  })
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])
    t.match(asked.headers['access-control-allow-methods'], method)
  const { headers } = await service.call('GET', COMMENTS, {
    headers: { origin: 'https://a.example' },
  })
  t.equal(
    headers['access-control-expose-headers'],
    'date, etag, guest-token, link, location, ratelimit, ratelimit-policy, retry-after, thread-version',
  )
  for (const answer of [asked.headers, headers])
    t.equal(answer['access-control-allow-credentials'], undefined)
})

t.test('every response of a site varies with the origin, and errors are readable', async (t) => {
  const service = await openShared(t, ['https://a.example'])
  const asked = ['', '?limit=0', '?cursor=x'].map((query) => `${COMMENTS}${query}`)
  for (const path of [...asked, `${SITE}/comments/c1-1`, `${SITE}/config`, '/v1/nope', '/livez']) {
    t.match((await service.call('GET', path)).headers.vary, /^Origin\b/, path)
  }
  for (const path of asked) {
    const { headers } = await service.call('GET', path, {
      headers: { origin: 'https://a.example' },
    })
    t.equal(headers['access-control-allow-origin'], 'https://a.example', path)
    t.match(headers.vary, /^Origin\b/)
  }
})

t.test('on a site for all origins, public reads are the same for every origin', async (t) => {
  const service = await openService(t)
  const { id, author, guest_token: token } = await service.post('a', 'x')
  const reads = ['/articles/a', '/articles/a/comments', '/articles/absent/comments', '/comments']
  reads.push('/articles', '/counts?article_id=a', '/config', '/staff', `/comments/${id}`)
  reads.push(`/comments/${id}/replies`, `/authors/${author.id}/comments`)
  const origins = [undefined, 'https://a.example', 'https://b.example', 'null']
  const ask = (path: string, origin: string | undefined, more: object = {}) =>
    service.call('GET', `${SITE}${path}`, { headers: { ...(origin && { origin }), ...more } })
  for (const path of reads) {
    const { etag } = (await ask(path, undefined)).headers
    for (const condition of [{}, { 'if-none-match': etag }]) {
      const seen = await Promise.all(origins.map((origin) => ask(path, origin, condition)))
      for (const { status, headers } of seen) {
        t.equal(status, 'if-none-match' in condition ? 304 : 200, path)
        t.match(headers, {
          vary: 'Accept-Encoding',
          'access-control-allow-origin': '*',
          'access-control-expose-headers': /etag/,
          'timing-allow-origin': '*',
        })
      }
    }
  }
  for (const path of [...reads, '/articles/a/viewer']) {
    const headers = { origin: 'https://a.example' }
    const own = await service.call('GET', `${SITE}${path}`, { token, headers })
    const allowed = { 'access-control-allow-origin': 'https://a.example', vary: /^Origin\b/ }
    t.match(own.headers, { ...allowed, 'cache-control': 'private, no-store' }, path)
    t.equal(own.headers['timing-allow-origin'], undefined, 'only of public reads')
  }
})

t.test('a site with a list of origins shares the times of public reads with all', async (t) => {
  const service = await openShared(t, ['https://a.example'])
  const { headers } = await service.get('/articles/a/comments')
  t.match(headers, { vary: 'Origin, Accept-Encoding', 'timing-allow-origin': '*' })
  t.equal(headers['access-control-allow-origin'], undefined)
  const avatar = await service.call('GET', `/v1/avatars/${IDS.write('author', 1)}.svg`)
  t.equal(avatar.headers['timing-allow-origin'], '*')
})

const QUOTA = { limits: { read: 5, write: 2 } }

t.test(
  'rate limits are shown in two header fields, and too many requests are refused',
  async (t) => {
    const service = await openService(t, QUOTA)
    for (const left of [1, 0]) {
      const comment = { ...JSON.parse(GOOD), body: `with ${left} left` }
      const { status, headers } = await service.call('POST', COMMENTS, { body: comment })
      t.equal(status, 201)
      t.equal(headers['ratelimit-policy'], '"create";q=2;w=60')
      t.match(headers.ratelimit, new RegExp(`^"create";r=${left};t=([1-9]|[1-5]\\d|60)$`))
      t.equal(headers['retry-after'], undefined)
    }
    const { status, headers, body } = await service.call('POST', COMMENTS, {
      body: JSON.parse(GOOD),
    })
    t.match({ status, body }, { status: 429, body: { code: 'rate_limited', status: 429 } })
    t.match(headers.ratelimit, /^"create";r=0;t=\d+$/)
    t.match(headers['retry-after'], /^([1-9]|[1-5]\d|60)$/)
    t.equal(headers['content-type'], 'application/problem+json')
    t.match(headers.vary, /Origin/)
    t.equal((await service.get('/articles/a')).status, 200, 'reads are counted by themselves')
    t.equal((await service.get('/articles/a')).body.comment_count, 2)
  },
)

t.test('bad requests and bad credentials count against the rate limit', async (t) => {
  const service = await openService(t, QUOTA)
  t.equal((await service.call('POST', COMMENTS, { body: {} })).status, 400)
  const wrong = { token: 'x'.repeat(40), body: JSON.parse(GOOD) }
  t.equal((await service.call('POST', COMMENTS, wrong)).status, 401)
  t.equal((await service.call('POST', COMMENTS, wrong)).status, 429)
  t.equal(
    (await service.call('GET', '/livez')).headers.ratelimit,
    undefined,
    'health is not limited',
  )
})

t.test('a rate limit of 0 is no limit', async (t) => {
  const service = await openService(t, { limits: { read: 0, write: 0 } })
  const { status, headers } = await service.call('POST', COMMENTS, { body: JSON.parse(GOOD) })
  t.equal(status, 201)
  t.equal(headers.ratelimit, undefined)
  for (let i = 0; i < 20; i++) t.equal((await service.get('/articles/a')).status, 200)
})

t.test('each API key has a rate limit of its own', async (t) => {
  const service = await openService(t, QUOTA)
  for (let i = 0; i < 3; i++) await service.call('POST', COMMENTS, { body: JSON.parse(GOOD) })
  const other = await service.makeKey('moderate')
  for (const token of [service.adminKey, other]) {
    const { status, headers } = await service.call('POST', COMMENTS, {
      token,
      body: JSON.parse(GOOD),
    })
    t.equal(status, 201, 'while the network has none left')
    t.equal(headers['ratelimit-policy'], '"create";q=200;w=60')
    t.match(headers.ratelimit, /^"create";r=199;/)
  }
})

/** Reads as a client behind the proxy at 127.0.0.1 (inject's own address). */
const readAs = async (service: TestService, forwarded: string): Promise<string> => {
  const { headers } = await service.get('/articles/a', {
    headers: { 'x-forwarded-for': forwarded },
  })
  return /r=(\d+)/.exec(headers.ratelimit)![1]!
}

t.test('X-Forwarded-For counts from trusted proxies only', async (t) => {
  const open = await openService(t, QUOTA)
  t.equal(await readAs(open, '203.0.113.1'), '4')
  t.equal(await readAs(open, '203.0.113.2'), '3', 'nobody is listed')
  const elsewhere = await openService(t, { ...QUOTA, trustedProxies: ['10.0.0.0/8'] })
  t.equal(await readAs(elsewhere, '203.0.113.1'), '4')
  t.equal(await readAs(elsewhere, '203.0.113.2'), '3', 'others are listed')
  const listed = await openService(t, { ...QUOTA, trustedProxies: ['127.0.0.0/8'] })
  t.equal(await readAs(listed, '203.0.113.1'), '4')
  t.equal(await readAs(listed, '203.0.113.2'), '4')
  t.equal(
    await readAs(listed, '198.51.100.9, 203.0.113.2'),
    '3',
    'what a client claims is not believed',
  )
})

t.test('rate limits count IPv6 addresses by /64', async (t) => {
  const service = await openService(t, { ...QUOTA, trustedProxies: ['127.0.0.1'] })
  t.equal(await readAs(service, '2001:db8:1:2::1'), '4')
  t.equal(await readAs(service, '2001:DB8:1:2:ffff:ffff:ffff:ffff'), '3')
  t.equal(await readAs(service, '2001:db8:1:3::1'), '4')
  t.equal(await readAs(service, '::ffff:203.0.113.7'), '4')
  t.equal(await readAs(service, '203.0.113.7'), '3', 'the same address, written as IPv6')
})

t.test(
  'an invalid address in X-Forwarded-For is not stored and has no rate limit of its own',
  async (t) => {
    const limits = { read: 0, write: 7 }
    const service = await openService(t, { limits, trustedProxies: ['127.0.0.1'] })
    const nonsense = ['nonsense', '-', '::::', '999.1.1.1', '203.0.113.1:x', 'unknown', '"']
    for (const [i, forwarded] of nonsense.entries()) {
      const headers = { 'x-forwarded-for': forwarded }
      const answer = await service.call('POST', COMMENTS, { headers, body: JSON.parse(GOOD) })
      t.equal(answer.status, 201, forwarded)
      t.match(answer.headers.ratelimit, `r=${6 - i};`)
    }
    const { body } = await service.get('/moderation/comments?status=approved', {
      token: service.adminKey,
    })
    t.strictSame([...new Set(body.items.map((item: any) => item.network))], [null])
  },
)

const ELSEWHERE = 'https://elsewhere.example'

t.test('a page of any origin can read the code of every error', async (t) => {
  const service = await openService(t, { limits: { read: 8, write: 2 } })
  await service.call('PATCH', SITE, {
    token: service.adminKey,
    body: { origins: ['https://a.example'] },
  })
  const port = await listen(service.app)
  const seen = async (path: string, init: RequestInit, code: string) => {
    const headers = { origin: ELSEWHERE, ...(init.headers as object) }
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { ...init, headers })
    t.match(await answer.json(), { code }, `${init.method ?? 'GET'} ${path}`)
    t.equal(answer.headers.get('access-control-allow-origin'), '*', code)
    t.match(answer.headers.get('access-control-expose-headers'), 'retry-after')
    t.equal(answer.headers.get('access-control-allow-credentials'), null)
  }
  const json = { 'content-type': 'application/json' }
  const post = (body = GOOD) => ({ method: 'POST', headers: json, body })
  const absent = '/v1/sites/absent'
  await seen(`${absent}/articles/a/comments`, {}, 'not_found')
  await seen(`${absent}/articles/a/comments`, post(), 'not_found')
  await seen(COMMENTS, {}, 'origin_refused')
  await seen(COMMENTS, post(), 'origin_refused')
  const credential = { headers: { authorization: 'Bearer x' } }
  await seen(COMMENTS, credential, 'invalid_token')
  await seen(`${SITE}/articles/%`, {}, 'invalid_request')
  await seen(`/v1/${'x'.repeat(60_000)}`, {}, 'uri_too_long')
  const big = post(JSON.stringify({ body: 'x'.repeat(70_000) }))
  const own = { ...big, headers: { ...json, origin: 'https://a.example' } }
  const tooLarge = await fetch(`http://127.0.0.1:${port}${COMMENTS}`, own)
  t.equal(tooLarge.status, 413)
  t.equal(tooLarge.headers.get('access-control-allow-origin'), 'https://a.example')
  await seen(COMMENTS, post(), 'rate_limited')
  const connection = await openRaw(t, port)
  connection.send(`GET / HTTP/1.1\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`)
  t.match(await connection.answer(), {
    status: 431,
    headers: { 'access-control-allow-origin': '*' },
  })
})

t.test('a page of any origin can read that the service failed', async (t) => {
  const service = await openService(t)
  await sql`alter table sites rename to elsewhere`.execute(service.db)
  const { status, headers } = await service.call('GET', '/v1/sites/other/articles/a', {
    headers: { origin: ELSEWHERE },
  })
  t.match({ status, headers }, { status: 500, headers: { 'access-control-allow-origin': '*' } })
})

t.test('a preflight opens nothing: what follows is refused, whatever the credential', async (t) => {
  const service = await openShared(t, ['https://a.example'])
  const { id, guest_token: token } = await service.post('a', 'x')
  t.match(await preflight(service, ELSEWHERE), {
    status: 204,
    headers: { 'access-control-allow-origin': '*' },
  })
  const refused = { status: 403, body: { code: 'origin_refused' } }
  const headers = { origin: ELSEWHERE }
  for (const credential of [token, service.adminKey]) {
    const edit = { token: credential, headers, body: { body: 'changed' } }
    t.match(await service.call('PATCH', `${SITE}/comments/${id}`, edit), refused)
    t.match(await service.call('DELETE', `${SITE}/comments/${id}`, { token, headers }), refused)
    t.match(await service.call('GET', `${SITE}/articles/a/viewer`, { token, headers }), refused)
  }
  const ofService = await service.call('OPTIONS', '/v1/sites', { headers })
  t.equal(ofService.headers['access-control-allow-methods'], undefined)
})
