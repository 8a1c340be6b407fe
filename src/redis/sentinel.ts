import { Redis, type RedisOptions } from 'ioredis'
import type { Host, RedisAddress } from './address.ts'
import {
  backOff,
  CONNECT_TIMEOUT_MS,
  FAIL_FAST,
  type Outages,
  optionsOf,
  type RedisClient,
  watchConnection,
} from './client.ts'

/** The connections that hear of another master; they end with the client. */
export const sentinelsOf = new WeakMap<RedisClient, readonly Redis[]>()

/** A user's name is one of Redis; a password alone opens the sentinels too, if they have one. */
export const createFollower = (address: RedisAddress, absences: Outages): Redis => {
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
  const { connectTimeout, disconnectTimeout, socketTimeout } = FAIL_FAST
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
