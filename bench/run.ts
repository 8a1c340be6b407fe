import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runOnServer, urlOf } from '../test/servers.ts'
import type { Bench, Database, Extent } from './bench.ts'
import { startLoad } from './load/trial.ts'
import { describeMachine } from './machine.ts'
import type { Measured, Row } from './row.ts'
import { ROWS } from './rows.ts'
import { type Plan, seed } from './seed/seed.ts'
import { stopProcesses } from './servers/processes.ts'
import { openPostgres, openRedis } from './servers/servers.ts'
import { findPgbench } from './sql/pgbench.ts'
import { toJson, toMarkdown, toText } from './table.ts'

/**
 * `npm run bench`: measures the service against Postgres, Redis and Fastify alone, side by side in one run.
 * It starts its own Postgres and Redis. The exit code is 1 if a row misses its goal.
 */

const USAGE = `npm run bench -- [--quick] [--soak] [--only PATTERN] [--json FILE] [--markdown FILE]
PATTERN is a regular expression for the names of rows.`

const FULL: Extent = { rounds: 5, seconds: 2, warmSeconds: 2, soakSeconds: 60, decisions: 200 }
const QUICK: Extent = { rounds: 5, seconds: 1, warmSeconds: 0.5, soakSeconds: 8, decisions: 60 }
const SOAK_SECONDS = 600

const SMALL: Plan = { comments: 10_000, large: [] }
const BIG: Plan = { comments: 1_000_000, large: [50_000, 5_000] }
const QUICK_BIG: Plan = { ...BIG, comments: 200_000 }

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    soak: { type: 'boolean', default: false },
    only: { type: 'string' },
    json: { type: 'string' },
    markdown: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

const stops: (() => Promise<unknown>)[] = []

const main = async (): Promise<boolean> => {
  if (options.help) {
    print(USAGE)
    return true
  }
  const begun = performance.now()
  const rows = chooseRows(options.only)
  const bench = await open()
  const machine = await describeMachine(bench.postgres.url, bench.pgbench)
  print(`${machine}\n`)
  const measured: Measured[] = []
  for (const row of rows) measured.push(...(await measure(row, bench)))
  const minutes = ((performance.now() - begun) / 60_000).toFixed(1)
  const order = ROWS.flatMap(({ lines }) => lines)
  const inOrder = measured.toSorted((a, b) => order.indexOf(a.line) - order.indexOf(b.line))
  const sizes = `${bench.small.comments} and ${bench.big.comments} comments`
  const text = `${machine}; ${sizes}; ${minutes} minutes.\n\n${toMarkdown(inOrder)}\n`
  print(`\n${text}`)
  if (options.markdown) writeFileSync(options.markdown, text)
  const verdicts = toJson(inOrder)
  if (options.json) writeFileSync(options.json, `${JSON.stringify(verdicts, null, 2)}\n`)
  return verdicts.every(({ holds }) => holds !== false)
}

/** Prints the result to standard output. */
const print = (text: string): void => void process.stdout.write(`${text}\n`)

/** Rows that read run first, because posts make the threads longer. */
const chooseRows = (only: string | undefined): Row[] => {
  const pattern = new RegExp(only ?? '', 'i')
  const chosen = ROWS.filter(({ lines }) => lines.some(({ row }) => pattern.test(row)))
  if (chosen.length === 0) throw new Error(`no row is called like ${only}\n${USAGE}`)
  return chosen.toSorted((a, b) => Number(a.changes ?? false) - Number(b.changes ?? false))
}

const open = async (): Promise<Bench> => {
  const folder = mkdtempSync(join(tmpdir(), 'afterword-bench-'))
  chmodSync(folder, 0o755)
  stops.unshift(() => rm(folder, { recursive: true, force: true }))
  const postgres = await openPostgres(folder)
  stops.unshift(postgres.stop)
  const redis = await openRedis(folder)
  stops.unshift(redis.stop)
  const load = startLoad()
  stops.unshift(load.stop)
  const extent = options.quick ? QUICK : FULL
  return {
    ...extent,
    soakSeconds: options.soak ? SOAK_SECONDS : extent.soakSeconds,
    folder,
    postgres,
    redis,
    load,
    pgbench: await findPgbench(),
    small: await openDatabase(postgres.url, 'bench_small', SMALL),
    big: await openDatabase(postgres.url, 'bench_big', options.quick ? QUICK_BIG : BIG),
  }
}

const openDatabase = async (server: string, name: string, plan: Plan): Promise<Database> => {
  const begun = performance.now()
  await runOnServer(server, `create database ${name}`)
  const url = urlOf(server, name)
  const seeded = await seed(url, plan)
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  print(`${name}: ${plan.comments} comments in ${seeded.threads} threads, in ${seconds} s`)
  return { ...seeded, url, name }
}

/** A failed row reports the reason; the other rows still run. */
const measure = async ({ lines, run }: Row, bench: Bench): Promise<Measured[]> => {
  const figures = await run(bench).catch((error: Error) =>
    lines.map(() => ({ value: null, command: '', note: `Not measured: ${error.message}` })),
  )
  const measured = lines.map((line, n) => ({ line, figure: figures[n]! }))
  for (const one of measured) print(`${toText(one)}\n`)
  return measured
}

const stopAll = async (): Promise<void> => {
  await stopProcesses()
  for (const stop of stops.splice(0)) await stop().catch(console.error)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => void stopAll().then(() => process.exit(130)))

try {
  process.exitCode = (await main()) ? 0 : 1
} catch (error) {
  process.exitCode = 1
  console.error(error)
} finally {
  await stopAll()
}
