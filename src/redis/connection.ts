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
 * A Redis, the master that sentinels name, or a cluster, that connects, and reconnects, by itself
 * in the background. Nothing ever queues for it: a command fails at once while its master is away,
 * and after 50 ms when it is late. Only masters are asked.
 * @throws Error as `parseRedisUrl` does
 */
export const createRedis = (url: string, log: RedisLog): RedisClient => {
  const address = parseRedisUrl(url)
  const absences = createOutages(labelOf(address), log)
  return CREATE[address.kind](address, absences)
}

/** Lets what was sent finish, for at most 50 ms, and stays away. Never rejects. */
export const closeRedis = async (client: RedisClient): Promise<void> => {
  const sentinels = sentinelsOf.get(client) ?? []
  for (const one of [...(isCluster(client) ? client.nodes() : [client]), ...sentinels])
    one.stream?.on('error', ignoreSecondError)
  for (const sentinel of sentinels) sentinel.disconnect()
  await withTimeout(client.quit()).catch(() => {})
  client.disconnect()
}

/**
 * A TLS socket that is closed while it finds that it does not trust the certificate fails twice.
 * The library listens once, so that the second error would end the process.
 */
const ignoreSecondError = (): void => {}

/**
 * Calls the listener whenever what this connection said before may come from another Redis than
 * what it says next: when it is lost and when it is there again, and in a cluster also for each of
 * its masters, for an answer that comes from another node, and for slots that have another master.
 */
export const onPossibleFailover = (client: RedisClient, listener: () => void): void => {
  const emitter: EventEmitter = client
  for (const event of isCluster(client) ? [POSSIBLE_FAILOVER] : ['ready', 'close', 'error'])
    emitter.on(event, () => listener())
}

const createSingle = (address: RedisAddress, absences: Outages): Redis => {
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

const CREATE = { single: createSingle, sentinel: createFollower, cluster: createCluster }
