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

/** Connections that receive news of another master; `closeRedis` closes them with the client. */
export const sentinelsOf = new WeakMap<RedisClient, readonly Redis[]>()

/**
 * The library's sentinel client, which asks the sentinels for the master whenever it connects. A password
 * without a user name is also used for the sentinels, if they want one.
 */
export const createFollower = (address: RedisAddress, outages: Outages): Redis => {
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
    // A replica that was the master.
    reconnectOnError: ({ message }) => message.startsWith('READONLY'),
  })
  watchConnection(redis, outages)
  const reconnect = createReconnect(redis)
  const listen = (host: Host) =>
    listenToSentinel({ ...host, password: sentinelPassword, tls }, (name) => {
      if (name === master) reconnect()
    })
  sentinelsOf.set(redis, hosts.map(listen))
  return redis
}

/**
 * Reconnects to the master that the sentinels name now. A replaced master accepts commands for about 10 s,
 * until a sentinel demotes it; a connection that is being opened can be to that one, and is opened again.
 */
const createReconnect = (redis: Redis) => {
  let isOutdated = false
  redis.on('ready', () => isOutdated && redis.disconnect(true))
  redis.on('close', () => {
    isOutdated = false
  })
  return (): void => {
    // Disconnecting while the client asks the sentinels would close it for good.
    if (redis.status === 'connecting') isOutdated = true
    else redis.disconnect(true)
  }
}

type SentinelOptions = Pick<RedisOptions, 'host' | 'port' | 'password' | 'tls'>

/**
 * Subscribes to the news of one sentinel. The library's own `failoverDetector` subscribes only after the
 * client has connected, and writes to standard error when a sentinel is away.
 */
const listenToSentinel = (options: SentinelOptions, onSwitch: (name: string) => void): Redis => {
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
