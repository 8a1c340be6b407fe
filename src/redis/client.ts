import type { Cluster, Redis, RedisOptions } from 'ioredis'
import type { BaseLogger } from 'pino'
import type { RedisAddress } from './address.ts'

export type RedisClient = Redis | Cluster

export type RedisLog = Pick<BaseLogger, 'info' | 'warn'>

export const CONNECT_TIMEOUT_MS = 1_000
const RETRY_MAX_MS = 1_000
/** How long closing a connection can take. */
const DISCONNECT_TIMEOUT_MS = 50

/** Without this limit, TCP notices dropped packets only after minutes. */
const SILENCE_MS = 1_000

export const backOff = (times: number): number => Math.min(2 ** times * 25, RETRY_MAX_MS)

/** A command with an unknown outcome is never sent again: a repeated SET could restore an old value. */
export const FAIL_FAST = {
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  commandTimeout: SILENCE_MS,
  connectTimeout: CONNECT_TIMEOUT_MS,
  disconnectTimeout: DISCONNECT_TIMEOUT_MS,
  socketTimeout: SILENCE_MS,
  maxLoadingRetryTime: RETRY_MAX_MS,
} satisfies RedisOptions

export const optionsOf = ({ username, password, isEncrypted }: RedisAddress) => ({
  ...FAIL_FAST,
  ...(username !== undefined && { username }),
  ...(password !== undefined && { password }),
  ...(isEncrypted && { tls: {} }),
})

export const isCluster = (client: RedisClient): client is Cluster => client.isCluster

export type Outages = { readonly away: (reason: string) => void; readonly back: () => void }

/** Logs one line when Redis goes away and one when it is back. */
export const createOutages = (address: string, log: RedisLog): Outages => {
  let isOut = false
  return {
    away: (reason) => {
      if (!isOut) log.warn({ redis: address, reason }, `redis ${address} is away: ${reason}`)
      isOut = true
    },
    back: () => {
      if (isOut) log.info({ redis: address }, `redis ${address} is back`)
      isOut = false
    },
  }
}

export const watchConnection = (redis: Redis, outages: Outages): void => {
  redis.on('error', (error: Error) => outages.away(reasonOf(error)))
  redis.on('reconnecting', () => outages.away('connection closed'))
  redis.on('ready', outages.back)
}

/** The reason to log. Of a reply only the first word, because a reply to AUTH can quote the password. */
export const reasonOf = (error: Error): string => {
  if (error.name === 'ReplyError') return error.message.split(' ')[0]!
  if ('lastNodeError' in error && error.lastNodeError instanceof Error)
    return reasonOf(error.lastNodeError)
  if (!error.message.startsWith('All sentinels are unreachable')) return error.message
  const [, last = ''] = / Last error: (.*)/.exec(error.message) ?? []
  if (last === '' || last.includes('No such master')) return 'no sentinel knows the master'
  const [code] = /^[A-Z]{2,}/.exec(last) ?? []
  return code ? `no sentinel answers: ${code}` : 'no sentinel answers'
}

/** True if a command with any key would be sent: all masters of a cluster are connected. */
export const isReady = (client: RedisClient): boolean => {
  const nodes = isCluster(client) ? client.nodes('master') : [client]
  return client.status === 'ready' && nodes.length > 0 && nodes.every(isConnected)
}

const isConnected = ({ status }: Redis): boolean => status === 'ready'
