import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buildApp } from '../src/app.ts'
import { createLocalCounters } from '../src/cache/counters.ts'
import { Refusal } from '../src/domain/refusal.ts'
import { NO_SOURCES } from '../src/http/edge/source-metrics.ts'
import { writeDescription } from '../src/http/wire/description.ts'

const ROOT = join(import.meta.dirname, '..')
export const DESCRIPTION_FILE = join(ROOT, 'openapi.yaml')

/** Writes the description of the routes as YAML. It opens no connection and calls no route. */
export const describeService = async (): Promise<string> => {
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
  const app = await buildApp({
    version,
    context: {} as never,
    keys: () => {
      throw new Refusal('unavailable')
    },
    limits: { read: 0, write: 0 },
    counters: { reads: createLocalCounters(), writes: createLocalCounters() },
    publicUrl: '',
    proxies: { trusted: [], header: 'x-forwarded-for' },
    readiness: async () => ({ status: 'unavailable', checks: {} }),
    metricSources: () => NO_SOURCES,
    logger: false,
  })
  await app.ready()
  const description = writeDescription(app)
  await app.close()
  return description
}

if (import.meta.main) await writeFile(DESCRIPTION_FILE, await describeService())
