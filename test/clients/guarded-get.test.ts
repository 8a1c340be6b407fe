import type { RequestListener } from 'node:http'
import t, { type Test } from 'tap'
import { createGuardedGet } from '../../src/clients/guarded-get.ts'
import { openHttps } from './https-server.ts'

const LOOPBACK = ['127.0.0.0/8', '::1']

const open = async (t: Test, handle: RequestListener) => {
  const server = await openHttps(t, handle)
  return { ...server, get: createGuardedGet({ allowedNetworks: LOOPBACK, ca: server.ca }) }
}

t.test('guardedGet fetches a text from an allowed network', async (t) => {
  const { url, get } = await open(t, (_request, answer) => void answer.end('the text'))
  t.equal(await get(`${url}/keys`), 'the text')
  t.equal(await get(url.replace('localhost', '127.0.0.1')), 'the text')
})

t.test('guardedGet refuses hosts that are not public, by name and by address', async (t) => {
  let asked = 0
  const { ca, port } = await open(t, (_request, answer) => {
    asked += 1
    answer.end()
  })
  const get = createGuardedGet({ allowedNetworks: [], ca })
  const hosts = [
    'localhost',
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f.1',
    '0177.0.0.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '0.0.0.0',
    '[::]',
    '10.0.0.1',
    '172.16.0.1',
    '192.168.0.1',
    '169.254.169.254',
    '100.64.0.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '[fe80::1]',
    '[fc00::1]',
    '[ff02::1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
  ]
  for (const host of hosts)
    await t.rejects(get(`https://${host}:${port}/`), /is not public|which is not public/, host)
  t.equal(asked, 0)
})

t.test('guardedGet: an allowed network allows no other network', async (t) => {
  const { ca, url } = await open(t, (_request, answer) => void answer.end())
  const get = createGuardedGet({ allowedNetworks: ['10.0.0.0/8', '192.0.2.1'], ca })
  await t.rejects(get(url), /not public/)
})

t.test('guardedGet refuses URLs that are not plain https', async (t) => {
  const { get } = await open(t, (_request, answer) => void answer.end())
  for (const url of ['http://example.org/', 'ftp://example.org/', 'file:///etc/passwd'])
    await t.rejects(get(url), /only https/)
  await t.rejects(get('https://ada:pw@example.org/'), /no user/)
  await t.rejects(get('nonsense'), /Invalid URL/)
})

t.test('guardedGet follows no redirect', async (t) => {
  const paths: (string | undefined)[] = []
  const { url, get } = await open(t, (request, answer) => {
    paths.push(request.url)
    answer.writeHead(302, { location: '/there' }).end()
  })
  await t.rejects(get(`${url}/here`), /302, not 200/)
  t.same(paths, ['/here'])
})

t.test('guardedGet gives up a response that is too long', async (t) => {
  const { url, get } = await open(t, (_request, answer) => {
    answer.end(Buffer.alloc(262_145, 'x'))
  })
  await t.rejects(get(url), /too long/)
})

t.test('guardedGet gives up a server that does not respond', async (t) => {
  const { url, get } = await open(t, () => {})
  await t.rejects(get(url), { name: 'AbortError' })
})

t.test('guardedGet refuses a server with a wrong certificate', async (t) => {
  const { url } = await open(t, (_request, answer) => void answer.end('x'))
  await t.rejects(createGuardedGet({ allowedNetworks: LOOPBACK })(url), /self.signed|certificate/)
})
