import t from 'tap'
import { openService } from '../service.ts'
import { listen, openRaw } from './sockets.ts'

const SITE = '/v1/sites/default'
const COMMENTS = `${SITE}/articles/a%2Fb/comments`

t.test('a method that a path does not have is 405, with the methods that it has', async (t) => {
  const { call, get, post } = await openService(t)
  await post('a/b', 'Hello')
  t.equal((await get('/articles/a%2Fb/comments')).status, 200, 'the short way knows this address')
  for (const [path, allow, methods] of [
    [COMMENTS, 'GET, HEAD, POST, OPTIONS', ['PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND']],
    [`${COMMENTS}?limit=1`, 'GET, HEAD, POST, OPTIONS', ['DELETE']],
    [SITE, 'GET, HEAD, PATCH, OPTIONS', ['POST', 'DELETE']],
    ['/v1/sites/absent', 'GET, HEAD, PATCH, OPTIONS', ['POST']],
    [`${SITE}/comments/c/vote`, 'PUT, OPTIONS', ['GET', 'HEAD', 'POST']],
    [`${SITE}/counts`, 'GET, HEAD, POST, OPTIONS', ['PUT']],
    ['/livez', 'GET, HEAD, OPTIONS', ['POST']],
    ['/', 'GET, HEAD, OPTIONS', ['POST']],
    ['/embed/any.js', 'GET, HEAD, OPTIONS', ['POST']],
  ] as const)
    for (const method of methods) {
      const answer = await call(method, path, {
        headers: { 'content-type': 'text/plain' },
        body: 'x',
      })
      t.equal(answer.status, 405, `${method} ${path}`)
      t.equal(answer.headers.allow, allow)
      t.equal(answer.headers['content-type'], 'application/problem+json')
      t.equal(answer.headers['access-control-allow-origin'], '*')
      if (method === 'HEAD') t.equal(answer.text, '')
      else t.match(answer.body, { code: 'method_not_allowed', status: 405 })
    }
  for (const path of ['/nope', `${SITE}/nope`, '/v1'])
    for (const method of ['GET', 'DELETE', 'OPTIONS']) {
      const { status, headers } = await call(method, path)
      t.same([status, headers.allow], [404, undefined], `${method} ${path}`)
    }
})

t.test('OPTIONS without an origin names the methods, and a preflight stays one', async (t) => {
  const { call } = await openService(t)
  for (const [path, allow] of [
    [COMMENTS, 'GET, HEAD, POST, OPTIONS'],
    ['/docs', 'GET, HEAD, OPTIONS'],
  ] as const) {
    const { status, headers, text } = await call('OPTIONS', path)
    t.same([status, headers.allow, text], [204, allow, ''], path)
  }
  const headers = { origin: 'https://a.example', 'access-control-request-method': 'POST' }
  const preflight = await call('OPTIONS', COMMENTS, { headers })
  t.match(preflight.headers, { 'access-control-allow-methods': /POST/ })
  t.equal(preflight.status, 204)
})

t.test('HEAD of a known path has the headers of GET and no body', async (t) => {
  const { call, post } = await openService(t)
  await post('a/b', 'Hello')
  for (const path of [COMMENTS, SITE, '/livez', '/docs', `${SITE}/counts?article_id=a`]) {
    const [get, head] = [await call('GET', path), await call('HEAD', path)]
    t.same([head.status, head.text], [get.status, ''], path)
    t.equal(head.headers['content-type'], get.headers['content-type'])
  }
})

t.test('a request that arrives too slowly is 408', async (t) => {
  const { app } = await openService(t)
  const port = await listen(app)
  // test/slow/slow-requests.test.ts waits for the time-outs of Node itself.
  app.server.on('connection', (socket) => {
    const error = Object.assign(new Error('slow'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' })
    socket.once('data', () => setImmediate(() => app.server.emit('clientError', error, socket)))
  })
  const connection = await openRaw(t, port)
  connection.send(`POST ${COMMENTS} HTTP/1.1\r\nHost: a\r\n`)
  const answer = await connection.answer()
  t.match(answer, { status: 408, body: { code: 'request_timeout', status: 408 } })
  t.equal(answer.headers['content-type'], 'application/problem+json')
  t.match(answer.headers, { connection: 'close' })
})
