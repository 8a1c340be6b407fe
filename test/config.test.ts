import t from 'tap'
import { readConfig, Settings } from '../src/config.ts'

/** A value that breaks every rule and must not appear in a message. */
const WRONG = {
  PORT: '70000',
  DATABASE_URL: 'mysql://root:hunter2@db/afterword',
  REDIS_URL: 'http://:hunter2@cache',
  AFTERWORD_ADMIN_KEY: 'hunter2',
  AFTERWORD_SECRET: 'hunter2',
  AFTERWORD_PUBLIC_URL: 'https://hunter2@a.example',
  AFTERWORD_TRUSTED_PROXIES: '10.0.0.0/8, proxy.hunter2.example',
  AFTERWORD_FORWARDED_HEADER: 'hunter2',
  AFTERWORD_LIMIT_READ: '-1',
  AFTERWORD_LIMIT_WRITE: 'hunter2',
  AFTERWORD_CACHE_BYTES: '64MB',
  AFTERWORD_POOL: '1',
  LOG_LEVEL: 'hunter2',
}

const messageOf = (env: Record<string, string>): string => {
  try {
    readConfig(env)
  } catch (error) {
    return (error as Error).message
  }
  return ''
}

t.test('readConfig gives the defaults for an empty environment', async (t) => {
  t.same(readConfig({}), {
    PORT: 3000,
    HOST: '127.0.0.1',
    AFTERWORD_FORWARDED_HEADER: 'x-forwarded-for',
    AFTERWORD_LIMIT_READ: 12_000,
    AFTERWORD_LIMIT_WRITE: 60,
    AFTERWORD_CACHE_BYTES: 33_554_432,
    AFTERWORD_POOL: 20,
    LOG_LEVEL: 'info',
    publicUrl: '',
    trustedProxies: [],
    outboundNetworks: [],
    secrets: [],
  })
  t.ok(Object.isFrozen(readConfig({})))
})

t.test('readConfig says with examples what a public address is', async (t) => {
  for (const url of [
    'https://a:99999',
    'https://1.2.3.400',
    'https://[::',
    'comments.example',
    'https://comments.example/?site=blog',
  ])
    t.match(
      messageOf({ AFTERWORD_PUBLIC_URL: url }),
      'AFTERWORD_PUBLIC_URL must be like https://comments.example or https://blog.example/comments',
    )
})

t.test('readConfig takes an empty variable as unset', async (t) => {
  const empty = Object.fromEntries(Object.keys(Settings.properties).map((name) => [name, '']))
  t.same(readConfig(empty), readConfig({}))
})

t.test('readConfig refuses malformed addresses and networks', async (t) => {
  for (const network of ['999.1.1.1', '1.2.3.4/99', '::1/129', '1.2.3.4/8/8', 'proxy']) {
    t.match(messageOf({ AFTERWORD_TRUSTED_PROXIES: network }), 'AFTERWORD_TRUSTED_PROXIES must')
    t.match(messageOf({ AFTERWORD_OUTBOUND_NETWORKS: network }), 'AFTERWORD_OUTBOUND_NETWORKS must')
  }
  t.same(readConfig({ AFTERWORD_TRUSTED_PROXIES: 'unix:, ::1' }).trustedProxies, ['unix:', '::1'])
  t.match(messageOf({ AFTERWORD_OUTBOUND_NETWORKS: 'unix:' }), 'AFTERWORD_OUTBOUND_NETWORKS must')
  t.match(messageOf({ REDIS_URL: 'redis://[x' }), 'REDIS_URL must')
  t.match(messageOf({ DATABASE_URL: 'postgres://[' }), 'DATABASE_URL must')
})

t.test(
  'readConfig takes every kind of Redis address and says what is wrong with a bad one',
  async (t) => {
    for (const url of [
      'redis://cache:6379/1',
      'rediss://:hunter2@cache',
      'redis+cluster://ada:hunter2@a:7001,b:7002,[::1]:7003',
      'rediss+sentinel://a,b,c/main/1',
    ])
      t.equal(readConfig({ REDIS_URL: url }).REDIS_URL, url)
    for (const [url, fault] of [
      ['redis://a,b', 'REDIS_URL must have one host; several take redis+cluster:// or'],
      ['redis+cluster://a:7001,:hunter2', 'REDIS_URL must have a host like name:6379'],
      ['redis+cluster://:hunter2@a/1', 'REDIS_URL must not name a database'],
      ['redis+sentinel://:hunter2@a', 'REDIS_URL must name the master after the hosts'],
      ['redis+proxy://:hunter2@a', 'REDIS_URL must begin with redis://'],
      ['redis://:hunter/2@a', 'REDIS_URL must have / ? # @ and % percent-encoded'],
    ] as const) {
      t.match(messageOf({ REDIS_URL: url }), fault)
      t.notMatch(messageOf({ REDIS_URL: url }), /hunter/)
    }
  },
)

t.test('readConfig ignores variables that are not settings', async (t) => {
  t.same(readConfig({ HOME: '/root', AFTERWORD_TYPO: 'x' }), readConfig({}))
})

t.test('readConfig returns typed values', async (t) => {
  const config = readConfig({
    PORT: '0',
    DATABASE_URL: 'postgresql://db/afterword',
    REDIS_URL: 'rediss://cache',
    AFTERWORD_ADMIN_KEY: 'k'.repeat(32),
    AFTERWORD_SECRET: 's'.repeat(32),
    AFTERWORD_TRUSTED_PROXIES: ' 10.0.0.0/8, ::1 ,192.0.2.1',
    AFTERWORD_LIMIT_READ: '0',
    LOG_LEVEL: 'silent',
  })
  t.match(config, { PORT: 0, AFTERWORD_LIMIT_READ: 0, LOG_LEVEL: 'silent' })
  t.same(config.trustedProxies, ['10.0.0.0/8', '::1', '192.0.2.1'])
})

t.test('readConfig takes several secrets, and a sentence as one secret', async (t) => {
  const [first, second] = ['1'.repeat(32), '2'.repeat(40)]
  for (const list of [`${first},${second}`, `${first} ${second}`, ` ${first} ,\n${second},`])
    t.same(readConfig({ AFTERWORD_SECRET: list }).secrets, [first, second])
  t.same(readConfig({ AFTERWORD_SECRET: `${first} stored` }).secrets, [first, null])
  t.same(readConfig({ AFTERWORD_SECRET: `stored ${first}` }).secrets, [null, first])
  t.same(readConfig({ AFTERWORD_SECRET: 'stored' }).secrets, [null])
  const sentence = 'a secret of words, as 0.1.0 allowed it'
  t.same(readConfig({ AFTERWORD_SECRET: sentence }).secrets, [sentence])
  for (const list of [`${first},short`, 'short, also short'])
    t.match(
      messageOf({ AFTERWORD_SECRET: list }),
      'AFTERWORD_SECRET must be secrets of at least 32',
    )
  t.equal(messageOf({ AFTERWORD_SECRET: 's'.repeat(4_000) }), '')
  t.match(
    messageOf({ AFTERWORD_SECRET: 's'.repeat(4_001) }),
    'AFTERWORD_SECRET must have at most 4000 characters',
  )
})

t.test('readConfig names every bad setting and what it expects in one message', async (t) => {
  const lines = messageOf(WRONG).split('\n')
  t.equal(lines[0], 'Settings are wrong:')
  for (const name of Object.keys(WRONG)) {
    const said = lines.filter((line) => line.startsWith(`  - ${name} must `))
    t.equal(said.length, 1, `${name} is named once`)
  }
  t.equal(lines.length, 1 + Object.keys(WRONG).length, 'and nothing else is')
})

t.test('no error of readConfig shows a value', async (t) => {
  t.notMatch(messageOf(WRONG), /hunter2|mysql|70000|64MB/)
})

t.test('readConfig allows each bound and refuses the value just beyond it', async (t) => {
  for (const value of ['2', '500'])
    t.equal(readConfig({ AFTERWORD_POOL: value }).AFTERWORD_POOL, Number(value))
  for (const value of ['1', '501', '2.5', '2e2', '0x10', ' 10', '+3'])
    t.match(
      messageOf({ AFTERWORD_POOL: value }),
      'AFTERWORD_POOL must be a whole number from 2 to 500',
    )
})

t.test('readConfig takes an admin key of 32 to 200 characters that survive a header', async (t) => {
  const isTaken = (key: string) => messageOf({ AFTERWORD_ADMIN_KEY: key }) === ''
  t.ok(isTaken('aZ0_-'.repeat(40)))
  t.notOk(isTaken('a'.repeat(31)))
  t.notOk(isTaken('a'.repeat(201)))
  t.notOk(isTaken(`${'a'.repeat(40)} `))
})
