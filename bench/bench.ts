import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openEmbedded } from '../src/postgres/embedded/embedded.ts'
import type { Load } from './load/trial.ts'
import { type Seeded, seed } from './seed/seed.ts'
import { type Running, startProcess } from './servers/processes.ts'
import type { OpenRedis, Postgres } from './servers/servers.ts'

export type Database = Seeded & { readonly url: string; readonly name: string }

/** The amount of work. `--quick` reduces all of it. */
export type Extent = {
  readonly rounds: number
  /** Duration of one trial. */
  readonly seconds: number
  /** Duration of the warm-up before the rounds, which does not count. */
  readonly warmSeconds: number
  readonly soakSeconds: number
  readonly decisions: number
}

/** Dependencies of every row. */
export type Bench = Extent & {
  readonly folder: string
  readonly postgres: Postgres
  readonly redis: OpenRedis
  readonly load: Load
  readonly pgbench: string | undefined
  readonly small: Database
  readonly big: Database
}

export const ADMIN_KEY = 'bench-admin-key-0123456789abcdefghijklmn'
/** The variables and the Node arguments of `npm start`, read from package.json, without the file .env. */
const [VARIABLES, START] = (
  JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')).scripts
    .start as string
)
  .replace(/\$\([^)]*\) /, '')
  .split(' exec node ')
  .map((words) => words.split(' ')) as [string[], string[]]

/** The limiter counts every request and refuses none. */
const LIMIT = '1000000000'

type Settings = Readonly<Record<string, string>>

/** A node of the service on this database, with Redis and the default settings but for `settings`. */
export const startService = (
  { folder, redis }: Bench,
  { url }: Database,
  settings: Settings = {},
  readyPath = '/readyz',
): Promise<Running> =>
  startProcess({
    args: START,
    readyPath,
    logFile: join(folder, 'service.log'),
    settings: {
      ...Object.fromEntries(VARIABLES.map((word) => word.split('='))),
      DATABASE_URL: url,
      REDIS_URL: redis.url,
      AFTERWORD_ADMIN_KEY: ADMIN_KEY,
      AFTERWORD_LIMIT_READ: LIMIT,
      AFTERWORD_LIMIT_WRITE: LIMIT,
      LOG_LEVEL: 'warn',
      ...settings,
    },
  })

/** A node with an embedded Postgres of its own, seeded, and without Redis. */
export const startAlone = async (bench: Bench): Promise<Running> => {
  const dataDir = join(bench.folder, 'alone')
  const log = { info: () => {}, warn: console.warn }
  const postgres = await openEmbedded({ dataDir, mayRelocate: false, log })
  await seed(postgres.url, { comments: bench.small.comments, large: [] })
  await postgres.close()
  const settings = { DATABASE_URL: '', REDIS_URL: '', AFTERWORD_DATA: dataDir }
  return startService(bench, bench.small, settings)
}

/** A node without Redis and without memory for pages, so that it builds every page. */
export const startForgetful = (bench: Bench, database: Database): Promise<Running> =>
  startService(bench, database, { REDIS_URL: '', AFTERWORD_CACHE_BYTES: '0' })

type Bytes = { readonly body: Buffer; readonly headers: Readonly<Record<string, string>> }

/**
 * A bare server that sends these bytes; with the logger, headers and limiter if there is a level.
 * @param update the settings of its second route, which updates a row
 */
export const startBare = (
  { folder }: Bench,
  { body, headers }: Bytes,
  level: string | undefined,
  update: Settings = {},
): Promise<Running> => {
  const file = join(folder, 'bare.bytes')
  writeFileSync(file, body)
  return startProcess({
    args: ['bench/servers/bare.ts'],
    readyPath: '/v1/sites/default/articles/1/comments',
    logFile: join(folder, 'bare.log'),
    settings: {
      BODY_FILE: file,
      HEADERS: JSON.stringify(headers),
      LIMIT,
      ...(level && { LOG_LEVEL: level }),
      ...update,
    },
  })
}

/** Stops the started processes, also after an error. */
export const using = async <T>(
  starts: readonly (() => Promise<Running>)[],
  act: (...running: Running[]) => Promise<T>,
): Promise<T> => {
  const running: Running[] = []
  try {
    for (const start of starts) running.push(await start())
    return await act(...running)
  } finally {
    for (const { stop } of running) await stop()
  }
}
