import { execFile } from 'node:child_process'
import { cpus, loadavg, totalmem } from 'node:os'
import { promisify } from 'node:util'
import pg from 'pg'

const GIGABYTE = 2 ** 30

/** One line about the machine of the measurement. */
export const describeMachine = async (
  databaseUrl: string,
  pgbench: string | undefined,
): Promise<string> => {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  const { rows } = await client.query('show server_version')
  await client.end()
  const { stdout } = await promisify(execFile)('redis-server', ['--version'])
  const redis = /v=([\d.]+)/.exec(stdout)?.[1]
  return [
    `${cpus().length} cores (${cpus()[0]?.model.trim()})`,
    `${Math.round(totalmem() / GIGABYTE)} GB`,
    `Node ${process.versions.node}`,
    `Postgres ${rows[0].server_version}`,
    `Redis ${redis}`,
    pgbench ?? 'no pgbench',
    `load ${loadavg()[0]!.toFixed(1)} before the rows`,
  ].join(', ')
}
