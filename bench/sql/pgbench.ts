import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Side } from '../compare.ts'
import type { Script } from './statements.ts'

const exec = promisify(execFile)

/** The version of pgbench. Undefined if it is not on the PATH. */
export const findPgbench = async (): Promise<string | undefined> => {
  try {
    return (await exec('pgbench', ['--version'])).stdout.trim()
  } catch {
    return undefined
  }
}

const THREADS = 2

type Run = {
  readonly url: string
  readonly folder: string
  readonly name: string
  readonly script: Script
  readonly clients: number
  readonly seconds: number
}

export const sayPgbench = ({ name, clients, seconds }: Omit<Run, 'url' | 'folder' | 'script'>) =>
  `pgbench -n -M prepared -c ${clients} -j ${THREADS} -T ${seconds} -f ${name}.sql`

/**
 * Runs a script with the given number of clients, each on its own connection with the service's session
 * settings. @returns transactions per second, without the time to connect
 */
const runPgbench = async (run: Run): Promise<number> => {
  const { url, folder, name, script, clients, seconds } = run
  const { hostname, port, username, password, pathname } = new URL(url)
  const file = join(folder, `${name}.sql`)
  writeFileSync(file, script.text)
  const values = Object.entries(script.values).flatMap(([key, value]) => ['-D', `${key}=${value}`])
  const args = ['-n', '-M', 'prepared', '-c', String(clients), '-j', String(THREADS)]
  args.push('-T', String(Math.max(1, Math.round(seconds))), '-f', file, ...values)
  const env = {
    PATH: process.env.PATH,
    PGHOST: hostname,
    PGPORT: port,
    PGUSER: username,
    PGPASSWORD: password,
    PGDATABASE: pathname.slice(1),
    PGSSLMODE: 'disable',
    PGOPTIONS: '-c jit=off -c timezone=UTC -c plan_cache_mode=force_generic_plan',
  }
  const { stdout } = await exec('pgbench', args, { env })
  return readRate(stdout)
}

/** A script as one side of a comparison. */
export const pgbenchSide = (run: Omit<Run, 'seconds'>): Side => ({
  name: `pgbench ${run.name}`,
  isWarm: true,
  run: (seconds) => runPgbench({ ...run, seconds }),
})

/** @throws Error when a transaction failed, or nothing is said of the rate */
export const readRate = (printed: string): number => {
  const failed = Number(/^number of failed transactions: (\d+)/m.exec(printed)?.[1] ?? 0)
  const rate = Number(/^tps = ([\d.]+)/m.exec(printed)?.[1])
  if (failed > 0 || !(rate > 0)) throw new Error(`pgbench: ${printed}`)
  return rate
}
