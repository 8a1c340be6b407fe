import { Cluster, type Redis } from 'ioredis'
import type { RedisAddress } from './address.ts'
import {
  backOff,
  CONNECT_TIMEOUT_MS,
  isReady,
  type Outages,
  optionsOf,
  reasonOf,
} from './client.ts'

/** A slot that has moved, and is moving on; more of them would not be done in 50 ms. */
const MAX_REDIRECTIONS = 3

/** What a cluster emits whenever `onTrouble` speaks. */
export const POSSIBLE_FAILOVER = 'trouble'

/**
 * A node that is away stays a node while another one tells the slots: its commands fail at once,
 * without a detour. When none does, all are given up and the hosts of the address are asked again,
 * by name: the whole cluster may have moved.
 */
export const createCluster = (address: RedisAddress, absences: Outages): Cluster => {
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
        if (/^(MOVED|ASK) /.test(message)) cluster.emit(POSSIBLE_FAILOVER)
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
    cluster.on(event, () => cluster.emit(POSSIBLE_FAILOVER))
  watchSlots(cluster)
  return cluster
}

type Watch = {
  readonly cluster: Cluster
  readonly absences: Outages
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
    if (isUp) cluster.emit(POSSIBLE_FAILOVER)
    isUp = false
  }
  node.on('ready', () => {
    isUp = true
    cluster.emit(POSSIBLE_FAILOVER)
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
    if (!isSame) cluster.emit(POSSIBLE_FAILOVER)
  })
}
