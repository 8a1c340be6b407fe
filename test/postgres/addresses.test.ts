import { sql } from 'kysely'
import t from 'tap'
import { parsePostgresUrl } from '../../src/postgres/connection/address.ts'
import { type OpenClient, openClient } from '../../src/postgres/connection/client.ts'
import { createDb } from '../../src/postgres/connection/db.ts'
import { reasonOf } from '../../src/postgres/connection/fault-reasons.ts'
import { createAuthority } from '../certificates.ts'
import { openDebianPostgres, skipWithoutPostgres } from '../debian-postgres.ts'
import { findFreePort, until } from '../start.ts'

const skip = skipWithoutPostgres

t.test('an address is read as libpq reads it', async (t) => {
  const read = (url: string, ...names: string[]) => {
    const address = parsePostgresUrl(url) as unknown as Record<string, unknown>
    return names.length > 0 ? names.map((name) => address[name]) : address
  }
  t.same(read('postgres://'), {
    hosts: [{ host: undefined, port: undefined }],
    user: undefined,
    password: undefined,
    database: undefined,
    sslMode: 'prefer',
    sslRootCert: undefined,
    sslCert: undefined,
    sslKey: undefined,
    sslNegotiation: 'postgres',
    bindsChannel: false,
    session: 'any',
    connectTimeoutMs: undefined,
    applicationName: 'afterword',
    options: undefined,
  })
  t.same(read('postgresql://ada:p%40s%2Fs:%25@db:5433/my%20db', 'user', 'password', 'database'), [
    'ada',
    'p@s/s:%',
    'my db',
  ])
  const hosts: [string, unknown][] = [
    ['postgres://db/x', [['db', undefined]]],
    [
      'postgres://a:1,b:2,[::1]:3,10.0.0.1/x',
      [
        ['a', 1],
        ['b', 2],
        ['::1', 3],
        ['10.0.0.1', undefined],
      ],
    ],
    ['postgres://%2Frun%2Fpg:5433/x', [['/run/pg', 5433]]],
    ['postgres://u:p@/x?host=/run/pg', [['/run/pg', undefined]]],
    [
      'postgres://u:p@/x?host=%2Frun%2Fpg,::1&port=1,2',
      [
        ['/run/pg', 1],
        ['::1', 2],
      ],
    ],
    [
      'postgres:///x?host=a,b&port=7',
      [
        ['a', 7],
        ['b', 7],
      ],
    ],
  ]
  for (const [url, expected] of hosts)
    t.same(
      parsePostgresUrl(url).hosts.map(({ host, port }) => [host, port]),
      expected,
      url,
    )
  t.same(read('postgres://a,b', 'session'), ['read-write'], 'the service writes')
  const more =
    'postgres:///?user=u&password=p&dbname=d&application_name=a&options=-c%20geqo%3Doff&connect_timeout=3' +
    '&target_session_attrs=any&channel_binding=require&sslmode=require&keepalives=1&gssencmode=disable'
  t.match(parsePostgresUrl(more), {
    user: 'u',
    password: 'p',
    database: 'd',
    applicationName: 'a',
    options: '-c geqo=off',
    connectTimeoutMs: 3_000,
    session: 'any',
    bindsChannel: true,
    sslMode: 'require',
  })
  t.same(read('postgres://a?sslrootcert=system', 'sslMode'), ['verify-full'])
  t.same(read('postgres://a?sslmode=no-verify', 'sslMode'), ['require'])
  t.same(read('postgres://a?ssl=true', 'sslMode'), ['require'])
})

t.test('a wrong address is refused by the name of its fault, without a value', async (t) => {
  const faults: [string, string][] = [
    ['mysql://hunter2@db', 'must begin with postgres:// or postgresql://'],
    ['postgres://u:hunter2%@db', 'must have / @ and % percent-encoded'],
    ['postgres://hunter2:0', 'must have hosts like'],
    ['postgres://[hunter2]/x', 'must have hosts like'],
    ['postgres://db:hunter2/x', 'must have hosts like'],
    ['postgres://a,b?port=1,2,3', 'must have one port in the parameter port'],
    [
      'postgres://a?sslmode=hunter2',
      'must have disable, allow, prefer, require, verify-ca, verify-full in the parameter sslmode',
    ],
    ['postgres://a?sslmode=verify-ca', 'must have the parameter sslrootcert for sslmode=verify-ca'],
    [
      'postgres://a?sslmode=require&sslrootcert=system',
      'must have sslmode=verify-full for sslrootcert=system',
    ],
    [
      'postgres://a?sslrootcert=/hunter2',
      'must have a file that can be read in the parameter sslrootcert',
    ],
    ['postgres://a?sslcert=/hunter2', 'must have both parameters sslcert and sslkey'],
    ['postgres://a?sslnegotiation=direct', 'must have sslmode=require, verify-ca or verify-full'],
    [
      'postgres://a?target_session_attrs=hunter2',
      'must have any, read-write, read-only, primary, standby, prefer-standby in the parameter target_session_attrs',
    ],
    [
      'postgres://a?connect_timeout=hunter2',
      'must have a whole number of seconds in the parameter connect_timeout',
    ],
    ['postgres://a?sslmod=hunter2', 'must not have the parameter sslmod'],
    ['postgres://a?HUNTER2=hunter2', 'must not have the parameter that this service does not know'],
  ]
  for (const [url, fault] of faults) {
    const error = t.throws(() => parsePostgresUrl(url)) as Error
    t.match(error.message, fault, url)
    t.notMatch(error.message, /hunter/i)
  }
})

/** `plain`, `encrypted`, or why there is no connection. */
const outcomeOf = async (url: string): Promise<string> => {
  try {
    const client = await openClient(parsePostgresUrl(url), { timeoutMs: 5_000 })
    const { rows } = await client.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()')
    await client.end()
    return rows[0].ssl ? 'encrypted' : 'plain'
  } catch (error) {
    return reasonOf(error)
  }
}

const TLS = ['ssl=on']

t.test('every mode of TLS does what it does in libpq', { skip }, async (t) => {
  const [own, other] = [createAuthority(t), createAuthority(t)]
  const { key, text } = own.issue('localhost')
  const user = own.issue('postgres')
  const files = { 'server.key': key, 'server.crt': text, 'root.crt': own.text }
  const hosts = (kind: string) => [`${kind} all all all trust`]
  const [plain, both, only, certified] = await Promise.all([
    openDebianPostgres(t),
    openDebianPostgres(t, { settings: TLS, files }),
    openDebianPostgres(t, { settings: TLS, files, access: hosts('hostssl') }),
    openDebianPostgres(t, {
      settings: [...TLS, 'ssl_ca_file=root.crt'],
      files,
      access: ['hostssl all all all cert'],
    }),
  ])
  const ca = `sslrootcert=${own.file}`
  const wrong = `sslrootcert=${other.file}`
  const cases: [string, string, string, string, string][] = [
    // host, parameters, a server without TLS, with TLS, with nothing but TLS
    ['localhost', '', 'plain', 'encrypted', 'encrypted'],
    ['localhost', 'sslmode=disable', 'plain', 'plain', 'tls_required'],
    ['localhost', 'sslmode=allow', 'plain', 'plain', 'encrypted'],
    ['localhost', 'sslmode=prefer', 'plain', 'encrypted', 'encrypted'],
    ['localhost', 'sslmode=require', 'tls_unavailable', 'encrypted', 'encrypted'],
    ['localhost', `sslmode=require&${ca}`, 'tls_unavailable', 'encrypted', 'encrypted'],
    ['127.0.0.1', `sslmode=require&${ca}`, 'tls_unavailable', 'encrypted', 'encrypted'],
    [
      'localhost',
      `sslmode=require&${wrong}`,
      'tls_unavailable',
      'certificate_invalid',
      'certificate_invalid',
    ],
    ['localhost', `sslmode=prefer&${wrong}`, 'plain', 'plain', 'certificate_invalid'],
    ['127.0.0.1', `sslmode=verify-ca&${ca}`, 'tls_unavailable', 'encrypted', 'encrypted'],
    [
      'localhost',
      `sslmode=verify-ca&${wrong}`,
      'tls_unavailable',
      'certificate_invalid',
      'certificate_invalid',
    ],
    ['localhost', `sslmode=verify-full&${ca}`, 'tls_unavailable', 'encrypted', 'encrypted'],
    [
      '127.0.0.1',
      `sslmode=verify-full&${ca}`,
      'tls_unavailable',
      'certificate_invalid',
      'certificate_invalid',
    ],
    [
      'localhost',
      'sslmode=verify-full',
      'tls_unavailable',
      'certificate_invalid',
      'certificate_invalid',
    ],
  ]
  for (const [host, parameters, ...expected] of cases) {
    const urls = [plain, both, only].map(
      ({ port }) => `postgres://postgres@${host}:${port}/postgres?${parameters}`,
    )
    t.same(await Promise.all(urls.map(outcomeOf)), expected, `${host} ${parameters}`)
  }
  const certificate = `sslcert=${user.file}&sslkey=${user.keyFile}`
  const url = `postgres://postgres@localhost:${certified.port}/postgres?sslmode=verify-full&${ca}`
  t.equal(await outcomeOf(`${url}&${certificate}`), 'encrypted')
  t.equal(await outcomeOf(url), 'access_refused', 'without a certificate of the user')
})

t.test('an address can name a socket, options and the name of the program', { skip }, async (t) => {
  const { socketFolder, port } = await openDebianPostgres(t)
  for (const url of [
    `postgres://postgres@/postgres?host=${socketFolder}&port=${port}`,
    `postgres://postgres@${encodeURIComponent(socketFolder)}:${port}/postgres`,
    `postgres://postgres@/postgres?host=${socketFolder}&port=${port}&sslmode=verify-full`,
  ])
    t.equal(await outcomeOf(url), 'plain', url)
  const url = `postgres://postgres@127.0.0.1:${port}/postgres?application_name=mine&options=-c%20work_mem%3D5MB`
  const { db, close } = createDb({ url, max: 1, onError: () => {} })
  t.teardown(close)
  const { rows } = await sql`select current_setting('application_name') as name,
    current_setting('work_mem') as memory`.execute(db)
  t.same(rows, [{ name: 'mine', memory: '5MB' }])
})

t.test('a fault has a reason that names no host and no secret', { skip }, async (t) => {
  const server = await openDebianPostgres(t, {
    settings: ['max_connections=10', 'superuser_reserved_connections=0'],
    access: [
      'host all secretive all md5',
      'host all absent all trust',
      'host all postgres all trust',
    ],
  })
  const { port } = server
  const at = `127.0.0.1:${port}`
  const reasons: [string, string][] = [
    [`postgres://secretive:wrong@${at}/postgres`, 'authentication_failed'],
    [`postgres://absent@${at}/postgres`, 'authentication_failed'],
    [`postgres://stranger@${at}/postgres`, 'access_refused'],
    [`postgres://postgres@${at}/none`, 'database_missing'],
    [`postgres://postgres@127.0.0.1:${await findFreePort()}/postgres`, 'connection_refused'],
    [`postgres://postgres@host.invalid/postgres`, 'host_unknown'],
    [`postgres://postgres@/postgres?host=/nowhere`, 'connection_refused'],
    [`postgres://postgres@${at}/postgres?target_session_attrs=standby`, 'no_standby'],
    [`postgres://postgres@${at}/postgres?channel_binding=require`, 'channel_binding_unavailable'],
    [
      `postgres://postgres@${at}/postgres?options=-c%20default_transaction_read_only%3Don&target_session_attrs=read-write`,
      'no_primary',
    ],
  ]
  for (const [url, reason] of reasons) t.equal(await outcomeOf(url), reason, url)
  // Postgres may still be ending some of the connections above, so the number that it accepts is not known.
  const held: OpenClient[] = []
  const refusal = await until('Postgres refuses a connection', async () => {
    try {
      held.push(await openClient(parsePostgresUrl(server.url), { timeoutMs: 5_000 }))
    } catch (error) {
      return reasonOf(error)
    }
  })
  t.equal(refusal, 'too_many_connections')
  await Promise.all(held.map((client) => client.end()))
})
