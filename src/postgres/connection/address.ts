import { accessSync, constants } from 'node:fs'
import { isIPv6 } from 'node:net'

const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
const SESSIONS = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'] as const

export type SslMode = (typeof SSL_MODES)[number]
/** The servers of an address that a connection may use. */
export type SessionKind = (typeof SESSIONS)[number]

/** A host name, an IP address, or the folder of a socket. Undefined: what PGHOST says, or localhost. */
export type PostgresHost = { readonly host: string | undefined; readonly port: number | undefined }

/** The parts of a connection URI of libpq. */
export type PostgresAddress = {
  readonly hosts: readonly PostgresHost[]
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  readonly sslMode: SslMode
  /** Files; `system` stands for the authorities that Node trusts. */
  readonly sslRootCert: string | undefined
  readonly sslCert: string | undefined
  readonly sslKey: string | undefined
  readonly sslNegotiation: 'postgres' | 'direct'
  /** Whether the login must prove that both ends share one TLS connection. */
  readonly bindsChannel: boolean
  readonly session: SessionKind
  readonly connectTimeoutMs: number | undefined
  readonly applicationName: string
  readonly options: string | undefined
}

const MUST = {
  begin: 'must begin with postgres:// or postgresql://',
  encode: 'must have / @ and % percent-encoded in its user, password, hosts and parameters',
  haveHost:
    'must have hosts like name:5432, [::1]:5432 or %2Frun%2Fpostgresql, separated by commas',
  matchPorts: 'must have one port in the parameter port, or as many as hosts',
  nameAuthority: 'must have the parameter sslrootcert for sslmode=verify-ca',
  verifyFully: 'must have sslmode=verify-full for sslrootcert=system',
  haveKey: 'must have both parameters sslcert and sslkey, or none of them',
  encrypt: 'must have sslmode=require, verify-ca or verify-full for sslnegotiation=direct',
}

const SCHEME = /^postgres(?:ql)?:\/\//
const TARGET =
  /^(?:(?<login>[^/]*)@)?(?<hosts>[^/?]*)(?:\/(?<database>[^?]*))?(?:\?(?<query>.*))?$/s
const HOST = /^(?:\[(?<ipv6>[^\]]*)\]|(?<name>[^:[\]]*))(?::(?<port>\d*))?$/

/** Parameters that change nothing here: either no part of the service needs them, or libpq alone has them. */
const IGNORED = [
  'client_encoding',
  'fallback_application_name',
  'gssencmode',
  'keepalives',
  'keepalives_count',
  'keepalives_idle',
  'keepalives_interval',
  'sslcompression',
  'sslsni',
  'tcp_user_timeout',
  'uselibpqcompat',
]

/**
 * Parses a connection URI as libpq does. The URL class rejects several hosts, and node-postgres reads the modes of TLS
 * in ways of its own.
 * @throws Error that says what the address must be and shows no part of it but the name of a parameter
 */
export const parsePostgresUrl = (url: string): PostgresAddress => {
  const scheme = SCHEME.exec(url)
  if (!scheme) throw new Error(MUST.begin)
  const target = TARGET.exec(url.slice(scheme[0].length))?.groups
  if (!target) throw new Error(MUST.encode)
  const [user = '', ...rest] = (target.login ?? '').split(':')
  const given = readQuery(target.query ?? '')
  const take = (name: string): string | undefined => {
    const value = given.get(name)
    given.delete(name)
    return value || undefined
  }
  const hosts = readHosts(target.hosts!, { host: take('host'), port: take('port') })
  const address = {
    hosts,
    user: take('user') ?? (decode(user) || undefined),
    password: take('password') ?? (decode(rest.join(':')) || undefined),
    database: take('dbname') ?? (decode(target.database ?? '') || undefined),
    ...readTls(take),
    session: oneOf('target_session_attrs', SESSIONS, take('target_session_attrs')) ?? usual(hosts),
    connectTimeoutMs: readSeconds(take('connect_timeout')),
    applicationName: take('application_name') ?? 'afterword',
    options: take('options'),
  }
  for (const name of IGNORED) given.delete(name)
  for (const name of given.keys())
    throw new Error(
      `must not have the parameter ${/^[a-z_]{1,40}$/.test(name) ? name : 'that this service does not know'}`,
    )
  return address
}

/** The service writes, so of several servers it takes the one that accepts writes. */
const usual = (hosts: readonly PostgresHost[]): SessionKind =>
  hosts.length > 1 ? 'read-write' : 'any'

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new Error(MUST.encode)
  }
}

const readQuery = (query: string): Map<string, string> =>
  new Map(
    query
      .split('&')
      .filter(Boolean)
      .map((pair) => {
        const [name = '', ...value] = pair.split('=')
        return [decode(name), decode(value.join('='))] as const
      }),
  )

const readHosts = (
  list: string,
  given: { host: string | undefined; port: string | undefined },
): PostgresHost[] => {
  const hosts = (given.host === undefined ? list : given.host.replace(/[^,]+/g, toListed))
    .split(',')
    .map(readHost)
  if (given.port === undefined) return hosts
  const ports = given.port.split(',').map(readPort)
  if (ports.length !== 1 && ports.length !== hosts.length) throw new Error(MUST.matchPorts)
  return hosts.map(({ host }, i) => ({ host, port: ports[ports.length === 1 ? 0 : i] }))
}

/** As the host would stand before the path of an address. */
const toListed = (host: string): string => (isIPv6(host) ? `[${host}]` : encodeURIComponent(host))

const readHost = (text: string): PostgresHost => {
  const { ipv6, name, port = '' } = HOST.exec(text)?.groups ?? {}
  if (ipv6 === undefined && name === undefined) throw new Error(MUST.haveHost)
  if (ipv6 !== undefined && !isIPv6(ipv6)) throw new Error(MUST.haveHost)
  return { host: ipv6 ?? (decode(name!) || undefined), port: readPort(port) }
}

const readPort = (text: string): number | undefined => {
  if (text === '') return undefined
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535) throw new Error(MUST.haveHost)
  return port
}

type Take = (name: string) => string | undefined

/** Names that other programs give to `require`, which verifies nothing. */
const REQUIRE = ['no-verify']

const readTls = (take: Take) => {
  const isOn = oneOf('ssl', ['true', 'false'], take('ssl')) === 'true'
  const said = take('sslmode')
  const named = said !== undefined && REQUIRE.includes(said) ? 'require' : said
  const sslRootCert = take('sslrootcert')
  const isSystem = sslRootCert === 'system'
  const usualMode = isSystem ? 'verify-full' : isOn ? 'require' : 'prefer'
  const sslMode = oneOf('sslmode', SSL_MODES, named) ?? usualMode
  const [sslCert, sslKey] = [take('sslcert'), take('sslkey')]
  const binding = oneOf(
    'channel_binding',
    ['disable', 'prefer', 'require'],
    take('channel_binding'),
  )
  const sslNegotiation =
    oneOf('sslnegotiation', ['postgres', 'direct'] as const, take('sslnegotiation')) ?? 'postgres'
  if (sslMode === 'verify-ca' && !sslRootCert) throw new Error(MUST.nameAuthority)
  if (isSystem && sslMode !== 'verify-full') throw new Error(MUST.verifyFully)
  if ((sslCert === undefined) !== (sslKey === undefined)) throw new Error(MUST.haveKey)
  if (sslNegotiation === 'direct' && SSL_MODES.indexOf(sslMode) < SSL_MODES.indexOf('require'))
    throw new Error(MUST.encrypt)
  if (!isSystem) assertReadable('sslrootcert', sslRootCert)
  assertReadable('sslcert', sslCert)
  assertReadable('sslkey', sslKey)
  const bindsChannel = binding === 'require'
  return { sslMode, sslRootCert, sslCert, sslKey, sslNegotiation, bindsChannel }
}

const assertReadable = (name: string, file: string | undefined): void => {
  try {
    if (file !== undefined) accessSync(file, constants.R_OK)
  } catch {
    throw new Error(`must have a file that can be read in the parameter ${name}`)
  }
}

const oneOf = <Value extends string>(
  name: string,
  values: readonly Value[],
  value: string | undefined,
): Value | undefined => {
  if (value === undefined) return undefined
  if (!(values as readonly string[]).includes(value))
    throw new Error(`must have ${values.join(', ')} in the parameter ${name}`)
  return value as Value
}

const readSeconds = (text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  if (!/^\d{1,6}$/.test(text))
    throw new Error('must have a whole number of seconds in the parameter connect_timeout')
  return Number(text) > 0 ? Number(text) * 1_000 : undefined
}
