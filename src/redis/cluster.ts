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

/** Enough for a slot that has moved and is moving again; more do not fit into 50 ms. */
const MAX_REDIRECTIONS = 3

/** Event of a cluster client: later replies can come from another Redis than earlier ones. */
export const POSSIBLE_FAILOVER = 'possibleFailover'

/**
 * The library's cluster client. It routes commands and follows moved slots; this file adds three things
 * that it lacks. A node that is away is kept while another node returns the slots, so that its commands
 * fail immediately. If no node returns the slots, all nodes are dropped and the client starts again from
 * the hosts of the address, because the whole cluster can have moved. `POSSIBLE_FAILOVER` is emitted.
 */
export const createCluster = (address: RedisAddress, outages: Outages): Cluster => {
  let isLost = false
  const cluster = new Cluster([...address.hosts], {
    enableOfflineQueue: false,
    enableReadyCheck: false,
    scaleReads: 'master',
    maxRedirections: MAX_REDIRECTIONS,
    // 0 switches retries off.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    retryDelayOnTryAgain: 0,
    slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
    clusterRetryStrategy: backOff,
    clusterNodeRetryStrategy: (times) => (isLost ? null : backOff(times)),
    // Connect by name: a certificate contains the name, and its address can change.
    dnsLookup: (host, callback) => callback(null, host),
    redisOptions: {
      ...optionsOf(address),
      // The only hook that sees a redirect before the library sends the command to another node.
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
    if (isReady(cluster)) outages.back()
  })
  cluster.on('error', (error: Error) => outages.away(reasonOf(error)))
  cluster.on('reconnecting', () => outages.away('no node has slots'))
  cluster.on('+node', (node: Redis) => watchNode(node, { cluster, outages, refresh }))
  for (const event of ['+node', '-node', 'ready', 'close'])
    cluster.on(event, () => cluster.emit(POSSIBLE_FAILOVER))
  watchSlots(cluster)
  return cluster
}

type Watch = {
  readonly cluster: Cluster
  readonly outages: Outages
  /** Fetches the slots: another node can have the slots of a node that is away. */
  readonly refresh: () => void
}

const watchNode = (node: Redis, { cluster, outages, refresh }: Watch): void => {
  const { host, port } = node.options
  const reportAway = (reason: string): void => {
    if (!node.options.readOnly) outages.away(`${host}:${port}: ${reason}`)
  }
  let isUp = false
  const reportLoss = (): void => {
    if (isUp) cluster.emit(POSSIBLE_FAILOVER)
    isUp = false
  }
  node.on('ready', () => {
    isUp = true
    cluster.emit(POSSIBLE_FAILOVER)
    if (isReady(cluster)) outages.back()
  })
  node.on('close', reportLoss)
  node.on('error', (error) => {
    reportLoss()
    reportAway(reasonOf(error))
  })
  node.on('reconnecting', () => {
    reportAway('connection closed')
    refresh()
  })
  // The library fetches the slots on a new connection, which takes longer than a command is allowed to.
  const duplicate = node.duplicate.bind(node)
  node.duplicate = (override) => duplicate({ ...override, commandTimeout: CONNECT_TIMEOUT_MS })
}

/** Compares the masters of all slots, because the library does not report whether a refresh changed them. */
const watchSlots = (cluster: Cluster): void => {
  let known: (string | undefined)[] = []
  cluster.on('refresh', () => {
    const masters = Array.from(cluster.slots, (keys) => keys?.[0])
    const isSame = masters.length === known.length && masters.every((key, i) => key === known[i])
    known = masters
    if (!isSame) cluster.emit(POSSIBLE_FAILOVER)
  })
}
