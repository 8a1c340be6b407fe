import { once } from 'node:events'
import { readConfig } from '../../src/config.ts'
import { createLogger } from '../../src/logger.ts'
import { createService } from '../../src/service.ts'
import { partsOf } from './weakness.ts'

/**
 * One node, as `src/main.ts` makes it of a database and a Redis; but `TEST_WEAKNESS` is the JSON of
 * a `Weakness`. After a SIGUSR2 the node kills itself when it makes its next token: what it
 * announces with that is then committed, and neither announced nor answered.
 */

const config = readConfig(process.env)
const logger = createLogger(config.LOG_LEVEL)
/** For the few lines that tests wait for, whatever the level of the rest. */
const voice = logger.child({}, { level: 'info' })

const stop = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort())

let isArmed = false
process.on('SIGUSR2', () => {
  isArmed = true
  voice.info('armed')
})

const { version, protocol } = partsOf(JSON.parse(process.env.TEST_WEAKNESS || '{}'))
const newToken = (): string => {
  if (isArmed) process.kill(process.pid, 'SIGKILL')
  return protocol.newToken()
}

const service = await createService({
  config,
  databaseUrl: config.DATABASE_URL ?? '',
  logger,
  version,
  stop: stop.signal,
  protocol: { ...protocol, newToken },
})
const address = await service.app.listen({ host: config.HOST, port: config.PORT })
voice.info(`listening at ${address}`)
await service.prepare()
voice.info(`answers at ${address}`)
if (!stop.signal.aborted) await once(stop.signal, 'abort')
await service.close()
process.exit(0)
