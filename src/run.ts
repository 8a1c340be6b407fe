import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { type Config, readConfig } from './config.ts'
import { createLogger } from './logger.ts'
import { openEmbedded } from './postgres/embedded/embedded.ts'
import { createService } from './service.ts'

const { version } = JSON.parse(
  readFileSync(resolve(import.meta.dirname, '../package.json'), 'utf8'),
)

/**
 * A node listens once it is ready, because a proxy sends requests to every node that listens. If Postgres is away for
 * this long, the node listens and reports why it is not ready.
 */
const LISTEN_AFTER_MS = 3_000

/** Closes what was opened; called in reverse order. */
type Opened = (() => Promise<unknown>)[]

/** Runs the service until the first SIGTERM or SIGINT. A signal during the start takes effect after its step. */
export const run = async (env: NodeJS.ProcessEnv): Promise<void> => {
  const config = readConfig(env)
  const logger = createLogger(config.LOG_LEVEL)
  const stop = stopAtSignal(logger)
  const opened: Opened = []
  try {
    await start({ config, logger, stop, opened })
    if (!stop.aborted) await once(stop, 'abort')
  } catch (error) {
    if (!stop.aborted) throw error
  } finally {
    for (const close of opened.reverse()) await close()
  }
  logger.info('stopped')
}

/** Runs what a start runs before it connects, and answers a request, so that V8 compiles it for the next starts. */
export const rehearse = async (): Promise<void> => {
  const parts = {
    config: readConfig({}),
    databaseUrl: 'postgres://127.0.0.1:1',
    logger: createLogger('silent'),
    stop: AbortSignal.abort(),
  }
  const service = await createService({ ...parts, version })
  await service.app.inject('/v1/sites/default/articles/1/comments')
  await service.close()
}

type Start = { config: Config; logger: FastifyBaseLogger; stop: AbortSignal; opened: Opened }

const start = async ({ config, logger, stop, opened }: Start): Promise<void> => {
  let databaseUrl = config.DATABASE_URL
  if (!databaseUrl) {
    const dataDir = resolve(config.AFTERWORD_DATA ?? 'data')
    const mayRelocate = !config.AFTERWORD_DATA
    const embedded = await openEmbedded({ dataDir, mayRelocate, log: logger })
    opened.push(embedded.close)
    databaseUrl = embedded.url
    stop.throwIfAborted()
  }
  const service = await createService({ config, databaseUrl, logger, version, stop })
  opened.push(service.close)
  const prepared = service.prepare()
  await Promise.race([prepared, sleep(LISTEN_AFTER_MS, undefined, { ref: false })])
  const address = await service.app.listen({
    host: config.HOST,
    port: config.PORT,
    listenTextResolver: (at) => `listening at ${at}`,
  })
  const madeKey = await prepared
  if (madeKey) process.stderr.write(`Admin key, shown only now: ${madeKey}\n`)
  logger.info({ address, version }, `Afterword ${version} answers at ${address}`)
}

/** Repeated signals have no further effect. */
const stopAtSignal = (logger: FastifyBaseLogger): AbortSignal => {
  const stop = new AbortController()
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stop.signal.aborted) return
    logger.info({ signal }, `${signal}: finishing what is in flight`)
    stop.abort()
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  return stop.signal
}
