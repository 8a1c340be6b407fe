import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { migrate } from '../src/postgres/connection/migrate.ts'
import { openEmbedded } from '../src/postgres/embedded/embedded.ts'
import { fillQueue } from './file-queue.ts'
import { ID_SECRET } from './ids.ts'
import { runOnServer, TEMPLATE, urlOf } from './servers.ts'

/**
 * The runner of the tests: starts real servers for all of them, then runs tap.
 *
 *     npm test                  all but test/slow
 *     npm run test:slow         test/slow, and all properties at full length
 *     npm test -- FILE…         these, with any options of tap
 */

const ROOT = join(import.meta.dirname, '..')
const TAP = join(ROOT, 'node_modules/tap/dist/esm/run.mjs')
const TAP_BUILT = join(ROOT, 'node_modules/@tapjs/test/test-built/dist/esm/index.js')
/** Node keeps compiled files here: reading the service's takes 0.6 s of processor instead of 1.4. */
const COMPILE_CACHE = join(ROOT, 'node_modules/.cache/compiled')
/** One file for each process, written anew by every run. */
const PROCESSES = join(ROOT, '.tap/processes')
/** As many as tap runs at a time: see .taprc. */
const SHARED_PROCESSES = 3
const SLOW = '--slow'
/** Browsers, races and servers that are killed need the processors that they run on. */
const SLOW_JOBS = '--jobs=2'
const SLOW_FOLDER = 'test/slow/'

/** Data of a test need not survive a power cut. */
const SETTINGS = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '200',
  shared_buffers: '256MB',
  max_wal_size: '256MB',
}

const REDIS_START_MS = 10_000
const NO_REDIS = 'No Redis: no TEST_REDIS_URL, and no redis-server on the PATH'

/** Memory where there is plenty: a database is cloned there in 40 ms, on a slow disk in 140 to 450. */
const MEMORY_FOLDER = '/dev/shm'
const MEMORY_BYTES = 4_000_000_000
const fastFolder = (): string => {
  if (!existsSync(MEMORY_FOLDER)) return tmpdir()
  const { bavail, bsize } = statfsSync(MEMORY_FOLDER)
  return bavail * bsize > MEMORY_BYTES ? MEMORY_FOLDER : tmpdir()
}

const { TEST_DATABASE_URL, TEST_REDIS_URL, REQUIRE_REDIS } = process.env
const folder = mkdtempSync(join(fastFolder(), 'afterword-test-'))
const stops: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })]
const stop = new AbortController()

const main = async (): Promise<number> => {
  chmodSync(folder, 0o755)
  if (!isTapBuilt()) await buildTap()
  const database = TEST_DATABASE_URL || (await openPostgres())
  await makeTemplate(database)
  const redis = TEST_REDIS_URL || (await openRedis())
  if (!redis && REQUIRE_REDIS === '1') throw new Error(`${NO_REDIS}, and REQUIRE_REDIS is set`)
  if (!redis) console.error(`\n*** ${NO_REDIS}: THE TESTS THAT NEED IT ARE SKIPPED ***\n`)
  const env = {
    ...process.env,
    NODE_COMPILE_CACHE: COMPILE_CACHE,
    TEST_LENGTH: process.argv.includes(SLOW) ? 'full' : 'sample',
    TEST_DATABASE_URL: database,
    TEST_REDIS_URL: redis ?? '',
  }
  return await run([TAP, ...tapArguments(process.argv.slice(2))], { env })
}

const tapArguments = (args: readonly string[]): readonly string[] => {
  const isSlow = args.includes(SLOW)
  const others = args.filter((arg) => arg !== SLOW)
  if (others.some((arg) => arg.includes('.test.ts'))) return others
  const files = globSync('test/**/*.test.ts', { cwd: ROOT }).sort()
  const slow = files.filter((file) => file.startsWith(SLOW_FOLDER))
  const quick = files.filter((file) => !file.startsWith(SLOW_FOLDER))
  if (!isSlow) return [...others, ...shareProcesses(quick)]
  return [...others, SLOW_JOBS, ...shareProcesses(quick.filter(hasProperties)), ...slow]
}

/** Whether a file has properties with a length: see `runs` in test/lengths.ts. */
const hasProperties = (file: string): boolean =>
  readFileSync(join(ROOT, file), 'utf8').includes('/lengths.ts')

/**
 * A few processes take the files one by one: each process needs 1.2 s of processor to load the service, and
 * none waits while another still has files. The longest source comes first, because a long test that begins
 * last runs alone.
 */
const shareProcesses = (files: readonly string[]): readonly string[] => {
  mkdirSync(PROCESSES, { recursive: true })
  fillQueue(files.toSorted((a, b) => sizeOf(b) - sizeOf(a)))
  return Array.from({ length: SHARED_PROCESSES }, (_, n) => {
    const path = join(PROCESSES, `${n + 1}.test.ts`)
    const imports = `import t from 'tap'\nimport { runQueue } from '../../test/file-queue.ts'\n`
    writeFileSync(path, `${imports}await runQueue(t)\n`)
    return path
  })
}

const sizeOf = (file: string): number => statSync(join(ROOT, file)).size

/** A new install of tap comes with the TypeScript plugin, which TypeScript 7 crashes: see .taprc. */
const isTapBuilt = (): boolean =>
  existsSync(TAP_BUILT) && !readFileSync(TAP_BUILT, 'utf8').includes('@tapjs/typescript')

/** 7 s, once per install. */
const buildTap = async (): Promise<void> => {
  const code = await run([TAP, 'build'])
  if (code !== 0) throw new Error(`tap build ended with ${code}`)
}

const openPostgres = async (): Promise<string> => {
  const log = { info: () => {}, warn: console.warn }
  const dataDir = join(folder, 'data')
  const server = await openEmbedded({ dataDir, mayRelocate: false, settings: SETTINGS, log })
  stops.unshift(server.close)
  stop.signal.throwIfAborted()
  return server.url
}

const makeTemplate = async (server: string): Promise<void> => {
  await runOnServer(server, `drop database if exists ${TEMPLATE} with (force)`)
  await runOnServer(server, `create database ${TEMPLATE}`)
  await migrate({ url: urlOf(server, TEMPLATE) })
  const secret = Buffer.from(ID_SECRET).toString('hex')
  await runOnServer(urlOf(server, TEMPLATE), `insert into secrets values ('ids', '\\x${secret}')`)
}

/** Undefined when this machine has no redis-server. */
const openRedis = async (): Promise<string | undefined> => {
  const port = await findFreePort()
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  const child = spawn('redis-server', args, { cwd: folder, stdio: 'ignore', detached: true })
  const failed = once(child, 'error').then(([error]) => error)
  if (child.pid === undefined && (await failed).code === 'ENOENT') return undefined
  stops.unshift(() => end(child))
  await untilListening(port, child)
  return `redis://127.0.0.1:${port}`
}

const findFreePort = async (): Promise<number> => {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  return typeof address === 'object' && address ? address.port : 0
}

const untilListening = async (port: number, child: ChildProcess): Promise<void> => {
  for (const begun = Date.now(); Date.now() - begun < REDIS_START_MS; await sleep(20)) {
    const socket = connect(port, '127.0.0.1')
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isOpen) return
    if (child.exitCode !== null) break
  }
  throw new Error(`redis-server does not answer on port ${port}`)
}

/** Runs Node and tells its exit code. A signal to this process ends it and all its children. */
const run = async (args: string[], options: SpawnOptions = {}): Promise<number> => {
  stop.signal.throwIfAborted()
  const group = { cwd: ROOT, stdio: 'inherit', detached: true, ...options } as const
  const child = spawn(process.execPath, args, group)
  const endGroup = () => child.pid && process.kill(-child.pid, 'SIGTERM')
  stop.signal.addEventListener('abort', endGroup)
  const [code] = await once(child, 'exit')
  stop.signal.removeEventListener('abort', endGroup)
  return code ?? 1
}

const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode === null && child.signalCode === null && child.kill())
    await once(child, 'exit')
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort())

try {
  process.exitCode = await main()
} catch (error) {
  process.exitCode = 1
  if (!stop.signal.aborted) console.error(error)
} finally {
  for (const stopOne of stops) await stopOne().catch(console.error)
}
