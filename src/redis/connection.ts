import type { EventEmitter } from 'node:events'
import { Redis } from 'ioredis'
import { labelOf, parseRedisUrl, type RedisAddress } from './address.ts'
import { withTimeout } from './breaker.ts'
import {
  backOff,
  createOutages,
  isCluster,
  type Outages,
  optionsOf,
  type RedisClient,
  type RedisLog,
  watchConnection,
} from './client.ts'
import { createCluster, POSSIBLE_FAILOVER } from './cluster.ts'
import { createFollower, sentinelsOf } from './sentinel.ts'

/**
 * Creates a client of a single Redis, of the master that sentinels name, or of a cluster. The client
 * connects and reconnects in the background and sends commands to masters only. Commands are never queued:
 * a command fails immediately while its master is away.
 * @throws Error as `parseRedisUrl` does
 */
export const createRedis = (url: string, log: RedisLog): RedisClient => {
  const address = parseRedisUrl(url)
  const outages = createOutages(labelOf(address), log)
  return CREATE[address.kind](address, outages)
}

/** Waits at most 50 ms for sent commands, then closes the client for good. Never rejects. */
export const closeRedis = async (client: RedisClient): Promise<void> => {
  const sentinels = sentinelsOf.get(client) ?? []
  for (const connection of [...(isCluster(client) ? client.nodes() : [client]), ...sentinels])
    connection.stream?.on('error', ignoreSecondError)
  for (const sentinel of sentinels) sentinel.disconnect()
  await withTimeout(client.quit()).catch(() => {})
  client.disconnect()
}

/**
 * A TLS socket that is closed while it rejects the certificate emits two errors. The library listens once,
 * so the second error would end the process.
 */
const ignoreSecondError = (): void => {}

/**
 * Calls the listener when later replies can come from another Redis than earlier ones: when a connection
 * is lost or opened and, in a cluster, for each master, for a redirect and for slots with a new master.
 */
export const onPossibleFailover = (client: RedisClient, listener: () => void): void => {
  const emitter: EventEmitter = client
  for (const event of isCluster(client) ? [POSSIBLE_FAILOVER] : ['ready', 'close', 'error'])
    emitter.on(event, () => listener())
}

const createSingle = (address: RedisAddress, outages: Outages): Redis => {
  const redis = new Redis({
    ...optionsOf(address),
    ...address.hosts[0]!,
    db: address.db,
    enableOfflineQueue: false,
    retryStrategy: backOff,
  })
  watchConnection(redis, outages)
  return redis
}

const CREATE = { single: createSingle, sentinel: createFollower, cluster: createCluster }
