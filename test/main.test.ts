import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { ARTICLE, bodiesOf, postTo } from './hello.ts'
import { createDataDir, findPostgres, start, until } from './start.ts'

const KEY = /Admin key, shown only now: (\S+)\n/
t.test('a first start creates one admin key and prints it once, not in the log', async (t) => {
  const settings = { AFTERWORD_DATA: createDataDir(t), LOG_LEVEL: 'trace' }
  const first = start(t, settings)
  const url = await first.ready()
  const [, key] = KEY.exec(first.err()) ?? []
  t.equal(first.err(), `Admin key, shown only now: ${key}\n`)
  t.match(key, /^[\w-]{43}$/)
  const headers = { authorization: `Bearer ${key}` }
  t.equal((await fetch(`${url}/v1/sites/default`, { headers })).status, 200, 'the key opens')
  t.equal((await postTo(url, 'First!')).status, 201)
  t.equal(await first.stop(), 0)
  t.notOk(first.out().includes(key!), 'the log does not have it')

  const second = start(t, settings)
  t.same(await bodiesOf(await second.ready()), ['First!'], 'a second start finds everything')
  t.equal(second.err(), '', 'and makes no key')
  t.equal(await second.stop(), 0)
})

t.test(
  'the log has JSON lines with the address of the service, and nothing about callers',
  async (t) => {
    const service = start(t, { AFTERWORD_DATA: createDataDir(t), LOG_LEVEL: 'trace' })
    const url = await service.ready()
    await postTo(url, 'A body that stays out of the log')
    await fetch(`${url}/v1/sites/default/config`, {
      headers: { authorization: 'Bearer wrong-token' },
    })
    await service.stop()
    const lines = service.out().trim().split('\n')
    const messages = lines.map((line) => JSON.parse(line).msg)
    t.ok(messages.includes('postComment 201') && messages.includes('getSiteConfig 401'))
    t.ok(messages.some((message) => message.endsWith(`answers at ${url}`)))
    t.notMatch(service.out(), /A body that|Ada|wrong-token|remoteAddress/)
  },
)

t.test('invalid settings stop the start, and each is named', async (t) => {
  const service = start(t, { PORT: '70000', AFTERWORD_POOL: 'many', LOG_LEVEL: 'loud' })
  t.equal(await service.ended(), 1)
  for (const name of ['PORT', 'AFTERWORD_POOL', 'LOG_LEVEL'])
    t.match(service.err(), `  - ${name} must`)
  t.equal(service.out(), '')
})

t.test(
  'on SIGTERM, however often, a request in flight gets its response and the exit code is 0',
  async (t) => {
    const dataDir = createDataDir(t)
    const service = start(t, { AFTERWORD_DATA: dataDir })
    const url = new URL(await service.ready())
    const { socket, finish } = await openRequest(t, url)
    service.child.kill('SIGTERM')
    await until('for the signal to arrive', () => /finishing what is in flight/.test(service.out()))
    service.child.kill('SIGTERM')
    service.child.kill('SIGINT')
    const isRefused = { code: 'ECONNREFUSED' }
    await t.rejects(once(connect(Number(url.port), url.hostname), 'connect'), isRefused)
    const answer = once(socket, 'data')
    finish()
    t.match(String((await answer)[0]), 'HTTP/1.1 201 Created')
    t.equal(await service.ended(), 0)
    t.equal(service.out().match(/finishing what is in flight/g)?.length, 1, 'one stop')
    t.equal(findPostgres(dataDir), undefined, 'Postgres has gone too')
  },
)

/** A post whose last byte is not sent yet. */
const openRequest = async (t: Test, { hostname, port }: URL) => {
  const socket = connect(Number(port), hostname)
  t.teardown(() => socket.destroy())
  const body = JSON.stringify({ body: 'Late', author: { name: 'Ada' } })
  const head = ['POST', ARTICLE, 'HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n']
  socket.write(`${head.join(' ')}content-length: ${body.length}\r\n\r\n${body.slice(0, -1)}`)
  await until('for the server to have the head', () => socket.bytesWritten > body.length)
  await fetch(`http://${hostname}:${port}/livez`)
  return { socket, finish: () => socket.write(body.slice(-1)) }
}
