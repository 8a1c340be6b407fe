import pino from 'pino'
import t, { type Test } from 'tap'
import { createSenderAddresses, type Proxies } from '../../src/http/edge/sender-addresses.ts'
import { type Answer, openService, type ServiceOptions, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'
const TRUSTED = ['10.0.0.0/8', '2001:db8:f::/48', 'fe80::/10']
const FROM = '203.0.113.7'

type Warning = { message: string; [field: string]: unknown }

const createReader = (
  header: Proxies['header'] = 'x-forwarded-for',
  trusted: readonly string[] = TRUSTED,
) => {
  const warnings: Warning[] = []
  const { read } = createSenderAddresses({ trusted, header }, (fields, message) =>
    warnings.push({ message, ...fields }),
  )
  const readFrom = (peer: string | undefined, headers: Record<string, string>) =>
    read({ headers, socket: { remoteAddress: peer } } as never)
  return { warnings, readFrom, read: (text: string) => readFrom('10.0.0.1', { [header]: text }) }
}

const compare = (t: Test, read: (text: string) => string | null, cases: string[][]) => {
  for (const [address, ...texts] of cases)
    for (const text of texts) t.equal(String(read(text)), address, text)
}

t.test('X-Forwarded-For: the sender is the nearest address that no list trusts', async (t) => {
  const { read } = createReader()
  compare(t, read, [
    [FROM, FROM, `  ${FROM}\t`, `${FROM}:4000`, `${FROM}:`, `${FROM}:_port`, `"${FROM}:4000"`],
    [
      FROM,
      `::ffff:${FROM}`,
      '::FFFF:cb00:7107',
      `[::ffff:${FROM}]:443`,
      '0:0:0:0:0:ffff:cb00:7107',
    ],
    ['2001:db8::1', '2001:db8::1', '[2001:DB8:0::1]', '[2001:db8::1]:443', '2001:db8::1%eth0'],
    ['2001:db8::1', '[2001:db8::1%25eth0]:443', '"[2001:db8::1]:443"'],
    [FROM, `198.51.100.1, ${FROM}`, `${FROM}, 10.1.1.1`, `x, ${FROM}:1,10.2.3.4:80 , 10.0.0.9`],
    [FROM, `, ${FROM}`, `,,,${FROM}`, `${'10.0.0.1, '.repeat(2_000)}${FROM}`, `"x, ${FROM}`],
    ['10.9.9.9', '10.9.9.9', '10.9.9.9:80, ::ffff:10.0.0.2', '10.9.9.9, [2001:db8:f::1]:1'],
    ['10.9.9.9', `10.9.9.9${', 10.0.0.2'.repeat(3_000)}`],
  ])
})

t.test('X-Forwarded-For: a text that is no address names no sender', async (t) => {
  const { read } = createReader()
  const none = ['', ' ', ',', `${FROM},`, `${FROM}, , 10.0.0.2`, 'unknown', '_hidden', 'unix:', '-']
  const odd = ['203.0.113', '0x7f.1', '203.0.113.07', `${FROM}:x`, `${FROM}:123456`, `for=${FROM}`]
  const broken = ['[2001:db8::1', '2001:db8::1]', '[]', '[]:80', ':80', `"${FROM}`, 'a.example']
  compare(t, read, [
    ['null', ...none, ...odd, ...broken, `${FROM}, unknown`, `${FROM}, 10.0.0.2:x`],
  ])
})

t.test('Forwarded: the sender is the nearest address that no list trusts', async (t) => {
  const { read } = createReader('forwarded')
  compare(t, read, [
    [
      FROM,
      `for=${FROM}`,
      `For="${FROM}:4000"`,
      `proto=https;FOR=${FROM};by=10.0.0.1;host=a.example`,
    ],
    [FROM, `for=198.51.100.1, for=${FROM}`, `for=${FROM}, for=10.0.0.2;proto=http`],
    [
      FROM,
      `for=${FROM};secret="a;for=198.51.100.1"`,
      `for=${FROM};secret="a\\", for=198.51.100.1"`,
    ],
    [FROM, `for="198.51.100.1, for=${FROM}`, `secret="\\", for=${FROM}`, `;;for=${FROM};`],
    [FROM, `for="${FROM.replace('.', '\\.')}"`, `for="${FROM}:_x"`],
    ['2001:db8::1', 'for="[2001:db8::1]:443"', 'for="[2001:db8::1]"', 'for="[2001:DB8::1]:_x"'],
    ['10.9.9.9', 'for=10.9.9.9, for="[2001:db8:f::1]:1"'],
  ])
})

t.test('Forwarded: an element without one address names no sender', async (t) => {
  const { read } = createReader('forwarded')
  const none = ['', FROM, 'for=', 'for=unknown', 'for=_hidden', 'for="_SEVKISEK"', 'proto=https']
  const odd = [`for=${FROM};for=198.51.100.1`, `for="${FROM}`, `for=${FROM};x="`, `xfor=${FROM}`]
  compare(t, read, [['null', ...none, ...odd, `for=${FROM}, for=unknown`, `for=${FROM},`]])
})

t.test('only the header that the setting names is read, and only of a trusted proxy', async (t) => {
  const both = { 'x-forwarded-for': FROM, forwarded: 'for=198.51.100.1' }
  t.equal(createReader().readFrom('10.0.0.1', both), FROM)
  t.equal(createReader('forwarded').readFrom('10.0.0.1', both), '198.51.100.1')
  for (const header of ['x-forwarded-for', 'forwarded'] as const) {
    const { readFrom } = createReader(header)
    t.equal(readFrom('192.0.2.1', both), '192.0.2.1', 'a stranger is not believed')
    t.equal(readFrom('::ffff:192.0.2.1', both), '192.0.2.1')
    t.equal(readFrom('10.0.0.1', {}), '10.0.0.1', 'a program on the machine of the proxy')
    t.equal(readFrom(undefined, both), null, 'the connection has ended')
  }
  const xff = { 'x-forwarded-for': FROM }
  t.equal(createReader('forwarded').readFrom('10.0.0.1', xff), '10.0.0.1')
  for (const peer of ['::ffff:10.0.0.1', '2001:db8:f:1::1', 'fe80::1%eth0'])
    t.equal(createReader().readFrom(peer, xff), FROM, peer)
  const mapped = createReader('x-forwarded-for', ['::ffff:10.0.0.0/104', '::ffff:192.0.2.1'])
  for (const peer of ['10.0.0.1', '::ffff:10.0.0.1', '192.0.2.1'])
    t.equal(mapped.readFrom(peer, xff), FROM, peer)
  t.equal(mapped.readFrom('192.0.2.2', xff), '192.0.2.2')
})

t.test('a proxy behind a Unix socket is passed over only if it is trusted', async (t) => {
  const trusting = createReader('x-forwarded-for', [...TRUSTED, 'unix:'])
  compare(t, trusting.read, [
    [FROM, `${FROM}, unix:`, `${FROM}:1, unix:/run/proxy.sock, 10.0.0.2`, `x, unix:, ${FROM}`],
    ['10.0.0.1', 'unix:', 'unix:, unix:'],
  ])
  compare(t, createReader().read, [['null', 'unix:', `${FROM}, unix:`]])
})

t.test('strangers who count as one sender are warned of, once per cause', async (t) => {
  const { warnings, read, readFrom } = createReader()
  for (const text of [FROM, `${FROM}:4000`, `x, ${FROM}`]) read(text)
  readFrom('203.0.113.9', { 'x-forwarded-for': FROM })
  t.same(warnings, [], 'a stranger can write what they like')
  for (const text of ['_hidden', 'unknown', '']) read(text)
  t.match(warnings.splice(0), [{ wrote: 'an obfuscated identifier', header: 'x-forwarded-for' }])
  for (let n = 0; n < 2; n++) readFrom('10.0.0.1', { forwarded: `for=${FROM}` })
  t.match(warnings.splice(0), [{ message: /forwards no address/, header: 'x-forwarded-for' }])
  for (let n = 0; n < 2; n++) readFrom('172.16.0.1', { 'x-forwarded-for': FROM })
  t.match(warnings.splice(0), [{ message: /not in AFTERWORD_TRUSTED_PROXIES/ }])
  for (const [text, wrote] of [
    ['unknown', 'unknown'],
    ['', 'nothing'],
    ['unix:', 'a Unix socket'],
    ['a.example', 'no address'],
  ] as const) {
    const other = createReader()
    other.read(text)
    t.match(other.warnings, [{ wrote }])
  }
})

const PROXIED: ServiceOptions = { trustedProxies: ['127.0.0.1'] }
const from = (address: string) => ({ headers: { 'x-forwarded-for': address } })

const post = (
  { call }: TestService,
  address: string,
  body: Record<string, unknown> = {},
): Promise<Answer> =>
  call('POST', `${SITE}/articles/a/comments`, {
    ...from(address),
    body: { body: 'Hello', author: { name: 'Ada' }, ...body },
  })

t.test('a port changes no limit, no ban and no stored network', async (t) => {
  const service = await openService(t, { ...PROXIED, limits: { read: 0, write: 2 } })
  const token = service.adminKey
  const statuses = async (addresses: string[]) =>
    Promise.all(addresses.map(async (one) => (await post(service, one)).status))
  const counted = await statuses([`${FROM}:1`, `${FROM}:2`, FROM])
  t.equal(counted.filter((status) => status === 429).length, 1)
  t.same(await statuses(['198.51.100.1:1', '[2001:db8::1]:443']), [201, 201])
  const queue = await service.get('/moderation/comments?status=approved', { token })
  const networks = queue.body.items.map((item: { network: string }) => item.network)
  t.same(networks.toSorted(), ['198.51.100.0/24', '2001:db8::/48', '203.0.113.0/24'])
  const ban = { kind: 'network', value: '192.0.2.9', effect: 'block' }
  t.equal((await service.call('POST', `${SITE}/moderation/bans`, { token, body: ban })).status, 201)
  t.match(await post(service, '192.0.2.9:5000'), { status: 403, body: { code: 'banned' } })
})

t.test('a known request counts for its sender, whatever the other header says', async (t) => {
  for (const forwardedHeader of ['x-forwarded-for', 'forwarded'] as const) {
    const options = { ...PROXIED, forwardedHeader, limits: { read: 4, write: 0 } }
    const service = await openService(t, options)
    const other = forwardedHeader === 'forwarded' ? 'x-forwarded-for' : 'forwarded'
    const value = forwardedHeader === 'forwarded' ? `for="${FROM}:1"` : `${FROM}:1`
    const address = new URL(await service.app.listen({ host: '127.0.0.1', port: 0 }))
    const left: (string | undefined)[] = []
    for (let n = 0; n < 5; n++) {
      const claim = forwardedHeader === 'forwarded' ? `192.0.2.${n}` : `for=192.0.2.${n}`
      const headers = { [forwardedHeader]: value, [other]: claim }
      const answer = await fetch(`${address.origin}${SITE}/articles/a/comments`, { headers })
      left.push(/r=(\d+)/.exec(answer.headers.get('ratelimit') ?? '')?.[1])
    }
    t.same(left, ['3', '2', '1', '0', '0'], forwardedHeader)
  }
})

t.test('senders without an address share their limits, and are no one writer', async (t) => {
  const lines: { level: number; msg: string }[] = []
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const service = await openService(t, { ...PROXIED, logger, limits: { read: 0, write: 4 } })
  const token = service.adminKey
  await service.call('PATCH', SITE, { token, body: { slow_mode_seconds: 3_600 } })
  const [one, other] = await Promise.all([post(service, 'unknown'), post(service, '_hidden')])
  t.same([one.status, other.status], [201, 201], 'no slow mode between strangers')
  t.not(one.body.id, other.body.id, 'the same text of the same name repeats nothing')
  t.not(one.body.author.id, other.body.author.id)
  t.same((await post(service, 'unix:')).status, 201)
  const again = { token: one.body.guest_token, ...from('unknown') }
  const slowed = await service.call('POST', `${SITE}/articles/a/comments`, {
    ...again,
    body: { body: 'More' },
  })
  t.match(slowed, { status: 429, body: { code: 'slow_mode' } }, 'an author waits all the same')
  t.match(await post(service, 'x'), { status: 429, body: { code: 'rate_limited' } })
  t.equal((await post(service, FROM)).status, 201, 'others do not share the limit')
  const queue = await service.get('/moderation/comments?status=approved', { token })
  const networks = queue.body.items.map((item: { network: string | null }) => item.network)
  t.same(networks.toSorted(), ['203.0.113.0/24', null, null, null])
  t.match(
    lines.filter(({ level, msg }) => level === 40 && /instead|something else/.test(msg)),
    { length: 1 },
  )
})
