import type { EventEmitter } from 'node:events'
import { isIPv6 } from 'node:net'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import type { BaseLogger } from 'pino'

export type RedisClient = Redis | Cluster

export type RedisLog = Pick<BaseLogger, 'info' | 'warn'>

/** Runs an attempt and answers what it gave; `undefined` when it failed or was not made at all. */
export type Breaker = <T>(attempt: () => Promise<T>) => Promise<T | undefined>

type Host = { readonly host: string; readonly port: number }

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

/** A cache slower than Postgres is not a cache. */
const COMMAND_TIMEOUT_MS = 50
const CONNECT_TIMEOUT_MS = 1_000
const RETRY_MAX_MS = 1_000

/** A connection whose packets are dropped would otherwise wait minutes for TCP to notice. */
const SILENCE_MS = 1_000

/** A slot that has moved, and is moving on; more of them would not be done in 50 ms. */
const MAX_REDIRECTIONS = 3

const DEFAULT_PORT = { single: 6379, cluster: 6379, sentinel: 26379 }

/** What a cluster emits whenever `onTrouble` speaks. */
const TROUBLE = 'trouble'

/**
 * A Redis, the master that sentinels name, or a cluster, that connects, and reconnects, by itself
 * in the background. Nothing ever queues for it: a command fails at once while its master is away,
 * and after 50 ms when it is late. Only masters are asked.
 * @throws Error as `parseRedisUrl` does
 */
export const createRedis = (url: string, log: RedisLog): RedisClient => {
  const address = parseRedisUrl(url)
  const absences = createAbsences(labelOf(address), log)
  return CREATE[address.kind](address, absences)
}

/** Lets what was sent finish, for at most 50 ms, and stays away. Never rejects. */
export const closeRedis = async (client: RedisClient): Promise<void> => {
  const sentinels = sentinelsOf.get(client) ?? []
  for (const one of [...(isCluster(client) ? client.nodes() : [client]), ...sentinels])
    one.stream?.on('error', ignoreSecondError)
  for (const sentinel of sentinels) sentinel.disconnect()
  await client.quit().catch(() => {})
  client.disconnect()
}

/**
 * A TLS socket that is closed while it finds that it does not trust the certificate fails twice.
 * The library listens once, so that the second error would end the process.
 */
const ignoreSecondError = (): void => {}

export const isCluster = (client: RedisClient): client is Cluster => client.isCluster

/** True while a command would be sent, whatever its key: of a cluster, all masters are there. */
export const isReady = (client: RedisClient): boolean => {
  const nodes = isCluster(client) ? client.nodes('master') : [client]
  return client.status === 'ready' && nodes.length > 0 && nodes.every(isConnected)
}

/**
 * Calls the listener whenever what this connection said before may come from another Redis than
 * what it says next: when it is lost and when it is there again, and in a cluster also for each of
 * its masters, for an answer that comes from another node, and for slots that have another master.
 */
export const onTrouble = (client: RedisClient, listener: () => void): void => {
  const emitter: EventEmitter = client
  for (const event of isCluster(client) ? [TROUBLE] : ['ready', 'close', 'error'])
    emitter.on(event, () => listener())
}

/**
 * True when a command failed at once because its node is away, which costs nothing and says
 * nothing of the other masters of a cluster.
 */
export const isAway = (error: unknown): boolean =>
  error instanceof Error &&
  (error.message === 'Connection is closed.' || error.name === 'MaxRetriesPerRequestError')

/**
 * After a failure nobody asks again for `pauseMs`; then one attempt tries, while the others are
 * still told `undefined`, and its success ends the pause. Share one between all users of a
 * connection, so that a dead or frozen Redis costs one late command and not one per user.
 */
export const createBreaker = ({ pauseMs }: { pauseMs: number }): Breaker => {
  let open = false
  let resumeAt = 0
  return async (attempt) => {
    if (open && performance.now() < resumeAt) return undefined
    const probing = open
    if (probing) resumeAt = performance.now() + pauseMs
    try {
      const answer = await attempt()
      if (probing) open = false
      return answer
    } catch (error) {
      if (isAway(error)) {
        if (probing) resumeAt = 0
        return undefined
      }
      // It refused this command, but it is there.
      open = !(error instanceof Error && error.name === 'ReplyError')
      resumeAt = performance.now() + pauseMs
      return undefined
    }
  }
}

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

const labelOf = ({ hosts, master }: RedisAddress): string => {
  const names = hosts.map(({ host, port }) => `${isIPv6(host) ? `[${host}]` : host}:${port}`)
  return `${master && `${master} of `}${names.join(',')}`
}

const backOff = (times: number): number => Math.min(2 ** times * 25, RETRY_MAX_MS)

/** A command whose outcome is unknown is never sent again: a SET could bring back what was there. */
const IMPATIENT = {
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  commandTimeout: COMMAND_TIMEOUT_MS,
  connectTimeout: CONNECT_TIMEOUT_MS,
  disconnectTimeout: COMMAND_TIMEOUT_MS,
  socketTimeout: SILENCE_MS,
  maxLoadingRetryTime: RETRY_MAX_MS,
} satisfies RedisOptions

const optionsOf = ({ username, password, isEncrypted }: RedisAddress) => ({
  ...IMPATIENT,
  ...(username !== undefined && { username }),
  ...(password !== undefined && { password }),
  ...(isEncrypted && { tls: {} }),
})

type Absences = { readonly away: (reason: string) => void; readonly back: () => void }

const createSingle = (address: RedisAddress, absences: Absences): Redis => {
  const redis = new Redis({
    ...optionsOf(address),
    ...address.hosts[0]!,
    db: address.db,
    enableOfflineQueue: false,
    retryStrategy: backOff,
  })
  watchConnection(redis, absences)
  return redis
}

const watchConnection = (redis: Redis, absences: Absences): void => {
  redis.on('error', (error: Error) => absences.away(reasonOf(error)))
  redis.on('reconnecting', () => absences.away('connection closed'))
  redis.on('ready', absences.back)
}

/** The connections that hear of another master; they end with the client. */
const sentinelsOf = new WeakMap<RedisClient, readonly Redis[]>()

/** A user's name is one of Redis; a password alone opens the sentinels too, if they have one. */
const createFollower = (address: RedisAddress, absences: Absences): Redis => {
  const { hosts, master, username, password, isEncrypted } = address
  const tls = isEncrypted ? {} : undefined
  const sentinelPassword = username === undefined ? password : undefined
  const redis = new Redis({
    ...optionsOf(address),
    sentinels: hosts.map((host) => ({ ...host })),
    name: master,
    role: 'master',
    sentinelPassword,
    sentinelTLS: tls,
    enableTLSForSentinelMode: isEncrypted,
    sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
    sentinelRetryStrategy: backOff,
    db: address.db,
    enableOfflineQueue: false,
    retryStrategy: backOff,
    // It was the master.
    reconnectOnError: ({ message }) => message.startsWith('READONLY'),
  })
  watchConnection(redis, absences)
  const follow = createFollow(redis)
  const hear = (host: Host) =>
    hearOfMasters({ ...host, password: sentinelPassword, tls }, (name) => {
      if (name === master) follow()
    })
  sentinelsOf.set(redis, hosts.map(hear))
  return redis
}

/**
 * Goes to the master that the sentinels name now. A master that was replaced goes on for about 10 s
 * until a sentinel tells it, and a connection that is being made may be to that one: it is made again.
 */
const createFollow = (redis: Redis) => {
  let isOutdated = false
  redis.on('ready', () => isOutdated && redis.disconnect(true))
  redis.on('close', () => {
    isOutdated = false
  })
  return (): void => {
    // To interrupt it while it asks the sentinels would end it for good.
    if (redis.status === 'connecting') isOutdated = true
    else redis.disconnect(true)
  }
}

type SentinelOptions = Pick<RedisOptions, 'host' | 'port' | 'password' | 'tls'>

/** The library's own listener writes to standard error when a sentinel is away. */
const hearOfMasters = (options: SentinelOptions, onSwitch: (name: string) => void): Redis => {
  const { connectTimeout, disconnectTimeout, socketTimeout } = IMPATIENT
  const timeouts = { connectTimeout, disconnectTimeout, socketTimeout }
  const sentinel = new Redis({
    ...options,
    ...timeouts,
    enableReadyCheck: false,
    autoResubscribe: false,
    retryStrategy: backOff,
  })
  sentinel.on('error', () => {})
  sentinel.on('ready', () => void sentinel.subscribe('+switch-master').catch(() => {}))
  sentinel.on('message', (_channel, text) => onSwitch(text.split(' ')[0]!))
  return sentinel
}

/**
 * A node that is away stays a node while another one tells the slots: its commands fail at once,
 * without a detour. When none does, all are given up and the hosts of the address are asked again,
 * by name: the whole cluster may have moved.
 */
const createCluster = (address: RedisAddress, absences: Absences): Cluster => {
  let isLost = false
  const cluster = new Cluster([...address.hosts], {
    enableOfflineQueue: false,
    enableReadyCheck: false,
    scaleReads: 'master',
    maxRedirections: MAX_REDIRECTIONS,
    // 0 is never: what fails has failed.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    retryDelayOnTryAgain: 0,
    slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
    clusterRetryStrategy: backOff,
    clusterNodeRetryStrategy: (times) => (isLost ? null : backOff(times)),
    // A certificate has the name, and the address behind it may change.
    dnsLookup: (host, callback) => callback(null, host),
    redisOptions: {
      ...optionsOf(address),
      // The one place that sees such an answer before the command is sent to another node.
      reconnectOnError: ({ message }) => {
        if (/^(MOVED|ASK) /.test(message)) cluster.emit(TROUBLE)
        return false
      },
    },
  })
  const refresh = (): void =>
    cluster.refreshSlotsCache((error) => {
      if (!error || cluster.status !== 'ready') return
      isLost = true
      for (const node of cluster.nodes()) if (node.status === 'wait') node.disconnect()
    })
  cluster.on('refresh', () => {
    isLost = false
    for (const node of cluster.nodes('master'))
      if (node.status === 'wait') node.connect().catch(() => {})
    if (isReady(cluster)) absences.back()
  })
  cluster.on('error', (error: Error) => absences.away(reasonOf(error)))
  cluster.on('reconnecting', () => absences.away('no node has slots'))
  cluster.on('+node', (node: Redis) => watchNode(node, { cluster, absences, refresh }))
  for (const event of ['+node', '-node', 'ready', 'close'])
    cluster.on(event, () => cluster.emit(TROUBLE))
  watchSlots(cluster)
  return cluster
}

type Watch = {
  readonly cluster: Cluster
  readonly absences: Absences
  /** Asks for the slots: another node may have those of one that is away. */
  readonly refresh: () => void
}

const watchNode = (node: Redis, { cluster, absences, refresh }: Watch): void => {
  const { host, port } = node.options
  const noteAway = (reason: string): void => {
    if (!node.options.readOnly) absences.away(`${host}:${port}: ${reason}`)
  }
  let isUp = false
  const noteLoss = (): void => {
    if (isUp) cluster.emit(TROUBLE)
    isUp = false
  }
  node.on('ready', () => {
    isUp = true
    cluster.emit(TROUBLE)
    if (isReady(cluster)) absences.back()
  })
  node.on('close', noteLoss)
  node.on('error', (error) => {
    noteLoss()
    noteAway(reasonOf(error))
  })
  node.on('reconnecting', () => {
    noteAway('connection closed')
    refresh()
  })
  // Asking for the slots takes a new connection, and that takes longer than a command may.
  const duplicate = node.duplicate.bind(node)
  node.duplicate = (override) => duplicate({ ...override, commandTimeout: CONNECT_TIMEOUT_MS })
}

/** The library does not tell which slots have another master, nor that none has. */
const watchSlots = (cluster: Cluster): void => {
  let known: (string | undefined)[] = []
  cluster.on('refresh', () => {
    const masters = Array.from(cluster.slots, (keys) => keys?.[0])
    const isSame = masters.length === known.length && masters.every((key, i) => key === known[i])
    known = masters
    if (!isSame) cluster.emit(TROUBLE)
  })
}

const isConnected = ({ status }: Redis): boolean => status === 'ready'

const CREATE = { single: createSingle, sentinel: createFollower, cluster: createCluster }

/** One line when Redis goes away and one when it is back, however often it was asked in between. */
const createAbsences = (address: string, log: RedisLog): Absences => {
  let isAwayNow = false
  return {
    away: (reason) => {
      if (!isAwayNow) log.warn({ redis: address, reason }, `redis ${address} is away: ${reason}`)
      isAwayNow = true
    },
    back: () => {
      if (isAwayNow) log.info({ redis: address }, `redis ${address} is back`)
      isAwayNow = false
    },
  }
}

/** Of what Redis itself replied only the first word: an answer to AUTH can quote the password. */
const reasonOf = (error: Error): string => {
  if (error.name === 'ReplyError') return error.message.split(' ')[0]!
  if ('lastNodeError' in error && error.lastNodeError instanceof Error)
    return reasonOf(error.lastNodeError)
  if (!error.message.startsWith('All sentinels are unreachable')) return error.message
  const [, last = ''] = / Last error: (.*)/.exec(error.message) ?? []
  if (last === '' || last.includes('No such master')) return 'no sentinel knows the master'
  const [code] = /^[A-Z]{2,}/.exec(last) ?? []
  return code ? `no sentinel answers: ${code}` : 'no sentinel answers'
}
