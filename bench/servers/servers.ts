import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { openEmbedded } from '../../src/postgres/embedded/embedded.ts'
import { untilTrue } from './waiting.ts'

type Stop = () => Promise<unknown>

const GIGABYTE = 2 ** 30

/**
 * Postgres keeps its default durability, because rows measure posts. The other settings serve both sides of
 * every row: memory for the pages, and no checkpoint during a measurement.
 */
const settings = (): Record<string, string> => ({
  shared_buffers: `${Math.round(Math.min(GIGABYTE, totalmem() / 8) / 1024)}kB`,
  max_connections: '200',
  max_wal_size: '8GB',
  checkpoint_timeout: '1h',
  logging_collector: 'on',
  log_destination: 'jsonlog',
  log_directory: 'log',
  log_filename: 'postgres',
  log_rotation_age: '0',
  log_rotation_size: '0',
  log_error_verbosity: 'default',
})

export type Postgres = {
  readonly url: string
  /** The process whose children are all other processes of the server. */
  readonly pid: number
  readonly logFile: string
  readonly stop: Stop
}

export const openPostgres = async (folder: string): Promise<Postgres> => {
  const log = { info: () => {}, warn: console.warn }
  const dataDir = join(folder, 'data')
  const server = await openEmbedded({ dataDir, mayRelocate: false, settings: settings(), log })
  const logFile = join(dataDir, 'postgres/log/postgres.json')
  const [pid] = readFileSync(join(dataDir, 'postgres/postmaster.pid'), 'utf8').split('\n')
  return { url: server.url, pid: Number(pid), logFile, stop: server.close }
}

/** Redis gets pages of many threads and evicts the oldest instead of growing. */
const REDIS_MEMORY = '256mb'

export type OpenRedis = { readonly url: string; readonly stop: Stop }

export const openRedis = async (folder: string): Promise<OpenRedis> => {
  const port = await findFreePort()
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  args.push('--maxmemory', REDIS_MEMORY, '--maxmemory-policy', 'allkeys-lru')
  const child = spawn('redis-server', args, { cwd: folder, stdio: 'ignore', detached: true })
  await once(child, 'spawn')
  await untilTrue('redis-server listens', () => isListening(port))
  return { url: `redis://127.0.0.1:${port}`, stop: () => endProcess(child) }
}

export const findFreePort = async (): Promise<number> => {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  return typeof address === 'object' && address ? address.port : 0
}

const isListening = async (port: number): Promise<boolean> => {
  const socket = connect(port, '127.0.0.1')
  const isOpen = await once(socket, 'connect').then(
    () => true,
    () => false,
  )
  socket.destroy()
  return isOpen
}

const PATIENCE_MS = 15_000

/** Asks the process to end, and kills it if it does not. */
export const endProcess = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  child.kill('SIGTERM')
  await ended
  clearTimeout(timer)
}
