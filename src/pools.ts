import type { FastifyBaseLogger } from 'fastify'
import type { Config } from './config.ts'
import { createDb, type OpenDb } from './postgres/connection/db.ts'

/** How many exports one node writes at the same time. */
const EXPORTS = 2

export type Pools = Readonly<Record<'read' | 'write' | 'exports' | 'health' | 'metrics', OpenDb>>

type Options = {
  readonly config: Config
  readonly url: string
  readonly logger: FastifyBaseLogger
  readonly isClosing: () => boolean
  readonly onDiskFull: () => void
}

/** Writers that wait for each other, and readers, cannot take each other's connections. */
export const createPools = ({ config, url, logger, isClosing, onDiskFull }: Options): Pools => {
  const onError = (error: Error) => {
    if (!isClosing()) logger.warn({ err: error }, 'postgres: an idle connection was lost')
  }
  const onUnprepared = once(() => logger.warn(UNPREPARED))
  const writers = Math.floor(config.AFTERWORD_POOL / 2)
  const open = (max: number) => createDb({ url, max, onError, onUnprepared, onDiskFull })
  return {
    read: open(config.AFTERWORD_POOL - writers),
    write: open(writers),
    exports: open(EXPORTS),
    health: open(1),
    metrics: open(1),
  }
}

const UNPREPARED =
  'postgres: the pooler does not keep prepared statements; going on without them, which costs more processor'

const once = (act: () => void): (() => void) => {
  let isDone = false
  return () => {
    if (!isDone) act()
    isDone = true
  }
}
