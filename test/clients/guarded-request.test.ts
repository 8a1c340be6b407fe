import t from 'tap'
import { createGuardedRequest } from '../../src/clients/guarded-request.ts'
import { json, LOOPBACK, openCheckServer } from './checks-server.ts'

const LIMITS = { timeoutMs: 2_000, maxBytes: 100 }

t.test('guardedRequest posts a body and returns any status', async (t) => {
  const { url, ca, state } = await openCheckServer(t, (answer, heard) => {
    answer.writeHead(418, { 'x-more': 'y' }).end(heard.body)
  })
  const request = createGuardedRequest({ allowedNetworks: LOOPBACK, ca })
  const headers = { 'content-type': 'text/plain' }
  const answer = await request({ url: `${url}/a?b`, headers, body: 'grüße', ...LIMITS })
  t.match(answer, { status: 418, headers: { 'x-more': 'y' }, text: 'grüße' })
  t.match(state.heard, [
    {
      method: 'POST',
      path: '/a?b',
      headers: { 'content-type': 'text/plain', 'content-length': '7' },
    },
  ])
  await request({ url, ...LIMITS })
  t.equal(state.heard[1]!.method, 'GET')
})

t.test(
  'guardedRequest refuses hosts that are not public, plain http, and passwords in URLs',
  async (t) => {
    const { url, ca, state } = await openCheckServer(t, json({}))
    const request = createGuardedRequest({ allowedNetworks: [], ca })
    const post = (to: string) => request({ url: to, body: 'x', ...LIMITS })
    await t.rejects(post(url), /not public/)
    await t.rejects(post(url.replace('localhost', '127.0.0.1')), /not public/)
    await t.rejects(post(url.replace('https', 'http')), /only https/)
    await t.rejects(post(url.replace('//', '//a:b@')), /no user/)
    t.same(state.heard, [])
  },
)

t.test('guardedRequest ignores the proxy variables of the environment', async (t) => {
  const { url, ca, state } = await openCheckServer(t, json({}))
  const proxies = ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY']
  t.intercept(process, 'env', {
    value: {
      ...process.env,
      ...Object.fromEntries(proxies.map((name) => [name, 'http://127.0.0.1:1'])),
    },
  })
  const request = createGuardedRequest({ allowedNetworks: LOOPBACK, ca })
  t.match(await request({ url, body: 'x', ...LIMITS }), { status: 200 })
  t.equal(state.heard.length, 1)
})
