import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { FastifyBaseLogger } from 'fastify'
import pino from 'pino'
import { type Config, readConfig } from './config.ts'
import { type Embedded, openEmbedded } from './postgres/embedded/embedded.ts'
import { createService, type Service } from './service.ts'

const DRAIN_MS = 10_000

const { version } = JSON.parse(
  readFileSync(resolve(import.meta.dirname, '../package.json'), 'utf8'),
)

/** Starts the service, and stops it at the first SIGTERM or SIGINT. */
const run = async (): Promise<void> => {
  const config = readConfig(process.env)
  const logger = createLogger(config)
  const embedded = config.DATABASE_URL ? undefined : await startEmbedded(config, logger)
  const databaseUrl = config.DATABASE_URL ?? embedded!.url
  const service = await createService({ config, databaseUrl, logger, version })
  const stop = stopOnce(service, embedded, logger)
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  const address = await service.app.listen({
    host: config.HOST,
    port: config.PORT,
    listenTextResolver: (at) => `listening at ${at}`,
  })
  const madeKey = await service.prepare()
  if (madeKey) process.stderr.write(`Admin key, shown only now: ${madeKey}\n`)
  logger.info({ address, version }, `Afterword ${version} answers at ${address}`)
}

const createLogger = (config: Config): FastifyBaseLogger =>
  pino({
    level: config.LOG_LEVEL,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: pino.stdSerializers.err },
  })

const startEmbedded = (config: Config, log: FastifyBaseLogger): Promise<Embedded> =>
  openEmbedded({
    dataDir: resolve(config.AFTERWORD_DATA ?? 'data'),
    mayRelocate: !config.AFTERWORD_DATA,
    log,
  })

/** Not ready first; then what is in flight is finished; then the databases go. */
const stopOnce = (service: Service, embedded: Embedded | undefined, logger: FastifyBaseLogger) => {
  let stopping = false
  return (signal: NodeJS.Signals): void => {
    if (stopping) return
    stopping = true
    logger.info({ signal }, `${signal}: finishing what is in flight`)
    setTimeout(() => service.app.server.closeAllConnections(), DRAIN_MS).unref()
    service.retire()
    service.app
      .close()
      .then(() => service.close())
      .then(() => embedded?.close())
      .then(() => {
        logger.info('stopped')
        process.exit(0)
      })
      .catch(fail)
  }
}

const fail = (error: unknown): void => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}

run().catch(fail)
