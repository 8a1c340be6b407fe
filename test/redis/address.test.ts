import t from 'tap'
import { parseRedisUrl } from '../../src/redis/address.ts'

const PLAIN = { kind: 'single', isEncrypted: false, username: undefined, password: undefined }
const LOCAL = { host: 'localhost', port: 6379 }

const messageOf = (url: string): string => {
  try {
    parseRedisUrl(url)
  } catch (error) {
    return (error as Error).message
  }
  return ''
}

t.test('a Redis address is read in every form', async (t) => {
  const hosts = [
    { host: 'h1', port: 7001 },
    { host: 'h_2.example', port: 7002 },
  ]
  const text = 'h1:7001,h_2.example:7002'
  const wanted: [string, object][] = [
    ['redis://localhost', {}],
    ['redis://localhost/', {}],
    ['redis://localhost:6380/3', { hosts: [{ host: 'localhost', port: 6380 }], db: 3 }],
    ['rediss://localhost:6379', { isEncrypted: true }],
    ['redis+cluster://localhost', { kind: 'cluster' }],
    [`redis+cluster://${text}`, { kind: 'cluster', hosts }],
    [`rediss+cluster://${text}/0`, { kind: 'cluster', isEncrypted: true, hosts }],
    [`redis+sentinel://${text}/main.one`, { kind: 'sentinel', hosts, master: 'main.one' }],
    [
      'rediss+sentinel://localhost/a-b/5',
      {
        kind: 'sentinel',
        isEncrypted: true,
        master: 'a-b',
        db: 5,
        hosts: [{ host: 'localhost', port: 26_379 }],
      },
    ],
  ]
  for (const [url, parts] of wanted)
    t.same(parseRedisUrl(url), { ...PLAIN, hosts: [LOCAL], db: 0, master: '', ...parts }, url)
})

t.test('an IPv6 address of Redis is written in brackets and returned without', async (t) => {
  const { hosts } = parseRedisUrl('redis+cluster://[::1],[2001:db8::7]:7001,127.0.0.1:7002')
  t.same(hosts, [
    { host: '::1', port: 6379 },
    { host: '2001:db8::7', port: 7001 },
    { host: '127.0.0.1', port: 7002 },
  ])
})

t.test('user and password of a Redis address are decoded, and optional', async (t) => {
  const wanted: [string, string | undefined, string | undefined][] = [
    ['ada:secret', 'ada', 'secret'],
    [':secret', undefined, 'secret'],
    ['ada', 'ada', undefined],
    ['ada:', 'ada', undefined],
    [':', undefined, undefined],
    ['', undefined, undefined],
    ['a%40b:%2F%3F%23%40%25%3A%20%C3%A4', 'a@b', '/?#@%: ä'],
    ['ada:a:b@c,d[e]', 'ada', 'a:b@c,d[e]'],
  ]
  for (const beginning of ['redis://', 'redis+cluster://', 'rediss+sentinel://'])
    for (const [login, username, password] of wanted) {
      const path = beginning.includes('sentinel') ? '/main' : ''
      t.match(parseRedisUrl(`${beginning}${login}@h1${path}`), { username, password }, login)
    }
})

t.test('an error about a Redis address says what is wrong and shows no value', async (t) => {
  const wrong: [RegExp, string[]][] = [
    [
      /must begin with redis:\/\//,
      ['', 'hunter2', 'http://:hunter2@h', 'redis:hunter2', 'redis+hunter2://h', 'REDIS://h'],
    ],
    [/must begin/, ['redis+cluster+sentinel://h', ' redis://hunter2', 'redis+tls://h']],
    [
      /percent-encoded/,
      ['redis://:hun/ter2@h', 'redis://:hunter2%@h', 'redis://:hunter2?@h', 'redis://h?hunter2'],
    ],
    [/percent-encoded/, ['redis://h/0#hunter2', 'redis://h/0?db=hunter2', 'redis://%zz@h']],
    [
      /must have a host/,
      ['redis://', 'redis://:hunter2@', 'redis:///0', 'redis+cluster://hunter2,,h', 'redis://[x'],
    ],
    [/must have a host/, ['redis://h:0', 'redis://h:65536', 'redis://h:hunter2', 'redis://h:']],
    [/must have a host/, ['redis://::1', 'redis://[::1', 'redis://[hunter2]', 'redis://[::1]6379']],
    [/must have a host/, ['redis+cluster://h1, h2', 'redis://h:6379\n', 'redis://hunter ']],
    [/must have one host/, ['redis://hunter2,h', 'rediss://:hunter2@h,h']],
    [
      /must name the master/,
      ['redis+sentinel://hunter2', 'rediss+sentinel://h/', 'redis+sentinel://h//1'],
    ],
    [/must name the master/, ['redis+sentinel://h/hunter 2', 'redis+sentinel://h/%20/1']],
    [
      /number of a database/,
      ['redis://h/hunter2', 'redis://h/1/2', 'redis://h/-1', 'redis://h/1.5'],
    ],
    [/number of a database/, ['redis+sentinel://h/main/hunter2', 'redis+sentinel://h/main/1/']],
    [/a cluster has only one/, ['redis+cluster://h/1', 'rediss+cluster://h/15']],
  ]
  for (const [message, urls] of wrong)
    for (const url of urls) {
      t.match(messageOf(url), message, url)
      t.match(messageOf(url), /^must /, url)
      t.notMatch(messageOf(url), 'hunter2', url)
    }
})
