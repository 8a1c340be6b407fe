import { isIPv6 } from 'node:net'

export type Host = { readonly host: string; readonly port: number }

/** Hosts and credentials of a Redis. */
export type RedisAddress = {
  readonly kind: 'single' | 'cluster' | 'sentinel'
  readonly isEncrypted: boolean
  readonly hosts: readonly Host[]
  readonly username: string | undefined
  readonly password: string | undefined
  readonly db: number
  /** The name that the sentinels have for the master; empty without sentinels. */
  readonly master: string
}

const DEFAULT_PORT = { single: 6379, cluster: 6379, sentinel: 26379 }

const SCHEME = /^redis(?<s>s?)(?:\+(?<kind>cluster|sentinel))?:\/\//
const TARGET = /^(?:(?<login>[^/?#]*)@)?(?<hosts>[^@/?#]*)(?:\/(?<path>[^@?#]*))?$/
const HOST = /^(?:\[(?<ipv6>[^\]]*)\]|(?<name>[\w.-]+))(?::(?<port>\d{1,5}))?$/

const MUST = {
  begin: 'must begin with redis://, redis+cluster:// or redis+sentinel://, or rediss for TLS',
  encode: 'must have / ? # @ and % percent-encoded in its user and password, and no ? or #',
  haveHost: 'must have a host like name:6379 or [::1]:6379, or several, separated by commas',
  haveOneHost: 'must have one host; several take redis+cluster:// or redis+sentinel://',
  nameMaster: 'must name the master after the hosts, like redis+sentinel://host1,host2/master',
  endWithNumber: 'must end with the number of a database, or without any',
  haveNoDatabase: 'must not name a database, because a cluster has only one',
}

/**
 * Parses the URL here, because the URL class rejects several hosts.
 * @throws Error that says what the URL must be and shows no part of it: the URL can contain a password
 */
export const parseRedisUrl = (url: string): RedisAddress => {
  const scheme = SCHEME.exec(url)
  if (!scheme) throw new Error(MUST.begin)
  const target = TARGET.exec(url.slice(scheme[0].length))?.groups
  if (!target) throw new Error(MUST.encode)
  const kind = (scheme.groups!.kind ?? 'single') as RedisAddress['kind']
  const hosts = target.hosts!.split(',').map((text) => readHost(text, DEFAULT_PORT[kind]))
  if (kind === 'single' && hosts.length > 1) throw new Error(MUST.haveOneHost)
  const isEncrypted = scheme.groups!.s === 's'
  return {
    kind,
    isEncrypted,
    hosts,
    ...readLogin(target.login ?? ''),
    ...readPath(target.path, kind),
  }
}

const readHost = (text: string, defaultPort: number): Host => {
  const { ipv6, name, port = defaultPort } = HOST.exec(text)?.groups ?? {}
  const host = ipv6 !== undefined && isIPv6(ipv6) ? ipv6 : name
  const isPort = Number(port) >= 1 && Number(port) <= 65_535
  if (host === undefined || !isPort) throw new Error(MUST.haveHost)
  return { host, port: Number(port) }
}

const readLogin = (login: string): Pick<RedisAddress, 'username' | 'password'> => {
  const [user = '', ...rest] = login.split(':')
  try {
    const password = decodeURIComponent(rest.join(':'))
    return { username: decodeURIComponent(user) || undefined, password: password || undefined }
  } catch {
    throw new Error(MUST.encode)
  }
}

const readPath = (path = '', kind: RedisAddress['kind']): Pick<RedisAddress, 'master' | 'db'> => {
  const steps = path.split('/')
  const master = kind === 'sentinel' ? steps.shift()! : ''
  if (kind === 'sentinel' && !/^[\w.-]+$/.test(master)) throw new Error(MUST.nameMaster)
  const db = steps.join('/')
  if (!/^\d{0,5}$/.test(db)) throw new Error(MUST.endWithNumber)
  if (kind === 'cluster' && Number(db) !== 0) throw new Error(MUST.haveNoDatabase)
  return { master, db: Number(db) }
}

export const labelOf = ({ hosts, master }: RedisAddress): string => {
  const names = hosts.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`)
  return `${master && `${master} of `}${names.join(',')}`
}
