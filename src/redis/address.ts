import { isIPv6 } from 'node:net'

export type Host = { readonly host: string; readonly port: number }

/** Where Redis is, and how to get in. */
export type RedisAddress = {
  readonly kind: 'single' | 'cluster' | 'sentinel'
  readonly isEncrypted: boolean
  readonly hosts: readonly Host[]
  readonly username: string | undefined
  readonly password: string | undefined
  readonly db: number
  /** What the sentinels call the master; empty without sentinels. */
  readonly master: string
}

const DEFAULT_PORT = { single: 6379, cluster: 6379, sentinel: 26379 }

const BEGINNING = /^redis(?<s>s?)(?:\+(?<kind>cluster|sentinel))?:\/\//
const REST = /^(?:(?<login>[^/?#]*)@)?(?<hosts>[^@/?#]*)(?:\/(?<path>[^@?#]*))?$/
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
 * Several hosts are no URL to the URL class, hence this.
 * @throws Error that says what it must be, and shows nothing of it: it may have a password
 */
export const parseRedisUrl = (url: string): RedisAddress => {
  const beginning = BEGINNING.exec(url)
  if (!beginning) throw new Error(MUST.begin)
  const rest = REST.exec(url.slice(beginning[0].length))?.groups
  if (!rest) throw new Error(MUST.encode)
  const kind = (beginning.groups!.kind ?? 'single') as RedisAddress['kind']
  const hosts = rest.hosts!.split(',').map((text) => readHost(text, DEFAULT_PORT[kind]))
  if (kind === 'single' && hosts.length > 1) throw new Error(MUST.haveOneHost)
  const isEncrypted = beginning.groups!.s === 's'
  return { kind, isEncrypted, hosts, ...readLogin(rest.login ?? ''), ...readPath(rest.path, kind) }
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
  const names = hosts.map(({ host, port }) => `${isIPv6(host) ? `[${host}]` : host}:${port}`)
  return `${master && `${master} of `}${names.join(',')}`
}
