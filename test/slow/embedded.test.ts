import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { findBinariesPackage, prepareBinaries } from '../../src/postgres/embedded/binaries.ts'
import { findServer } from '../../src/postgres/embedded/process.ts'
import {
  ask,
  createLog,
  dataDir,
  FAST,
  open,
  serverPid,
  tempFolder,
  until,
} from '../postgres/embedded/own-folder.ts'

const NOBODY = { uid: 65534, gid: 65534 }
const MODULE = join(import.meta.dirname, '../../src/postgres/embedded/embedded.ts')

const isRoot = process.getuid?.() === 0
const asRoot = isRoot ? {} : { skip: 'only root runs Postgres as another user: not tested here' }

const copyPackage = (t: Test) => {
  const packageFolder = join(tempFolder(t), 'linux-x64')
  const filter = (path: string) => !/\.a$|native\/share|lib\/postgresql/.test(path)
  const options = { recursive: true, verbatimSymlinks: true, filter }
  cpSync(findBinariesPackage(), packageFolder, options)
  const list = readFileSync(join(packageFolder, 'native', 'pg-symlinks.json'), 'utf8')
  const links = JSON.parse(list).map(({ target }: { target: string }) =>
    join(packageFolder, target),
  )
  return { packageFolder, links: links as string[] }
}

/** A service in a process of its own; `line` is its address, or why it did not start. */
const openInChild = (t: Test, dataDir: string): { child: ChildProcess; line: Promise<string> } => {
  const options = JSON.stringify({ dataDir, mayRelocate: false, settings: FAST })
  const log = '{ info: () => {}, warn: () => {} }'
  const script = `import { openEmbedded } from ${JSON.stringify(MODULE)}
    const embedded = await openEmbedded({ ...${options}, log: ${log} })
      .catch((error) => ({ url: error.message }))
    process.stdout.write(embedded.url + '\\n')
    process.on('SIGTERM', () => embedded.close?.())`
  const args = ['--input-type=module', '--eval', script]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => kill(child, 'SIGTERM'))
  const line = once(child.stdout, 'data').then(([data]) => String(data).trim())
  return { child, line }
}

const kill = async (child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill(signal)
  await once(child, 'exit')
}

const isReady = (dataDir: string, not: number): boolean => {
  const server = findServer(join(dataDir, 'postgres'))
  return server?.status === 'ready' && server.pid !== not
}

/** The file of the shared folder, which gets its text back afterwards. */
const takePassword = (t: Test): string => {
  const file = join(dataDir, 'postgres.password')
  const text = readFileSync(file, 'utf8')
  t.teardown(() => writeFileSync(file, text, { mode: 0o600 }))
  return file
}

t.test('a second service on the same data folder is refused, and the first goes on', async (t) => {
  const { url } = await open(t, dataDir)
  const message = `another Afterword already runs on ${dataDir}`
  await t.rejects(open(t, dataDir), { message })
  t.equal(await ask(url, 'select 1'), 1)
})

t.test('of services that start together on a fresh data folder exactly one wins', async (t) => {
  const dataDir = tempFolder(t)
  const starts = await Promise.allSettled([1, 2, 3].map(() => open(t, dataDir)))
  const won = starts.filter((start) => start.status === 'fulfilled')
  const lost = starts.filter((start) => start.status === 'rejected')
  t.equal(won.length, 1)
  for (const { reason } of lost) t.match(reason.message, /^another Afterword already runs on/)
  t.equal(await ask(won[0]!.value.url, 'select 1'), 1)
})

t.test('of processes that start together on a stopped data folder exactly one wins', async (t) => {
  await (await open(t, dataDir)).close()
  const lines = await Promise.all([1, 2].map(() => openInChild(t, dataDir).line))
  t.equal(lines.filter((line) => line.startsWith('postgres://')).length, 1, lines.join('\n'))
  const lost = lines.filter((line) => line.startsWith('another Afterword already runs'))
  t.equal(lost.length, 1)
})

t.test('a start after kill -9 of the service attaches to its Postgres', async (t) => {
  const { child, line } = openInChild(t, dataDir)
  const url = await line
  const pid = serverPid(dataDir)
  await kill(child)
  const second = await open(t, dataDir)
  t.equal(second.url, url)
  t.equal(serverPid(dataDir), pid)
  await second.close()
  t.equal(findServer(join(dataDir, 'postgres')), undefined)
})

t.test('a start after kill -9 of the service and of its Postgres recovers', async (t) => {
  const { child, line } = openInChild(t, dataDir)
  await ask(await line, 'create table saved as select 42 as answer')
  await kill(child)
  process.kill(serverPid(dataDir), 'SIGKILL')
  const { url } = await open(t, dataDir)
  t.equal(await ask(url, 'select answer from saved'), 42)
})

t.test('a Postgres killed under the service comes back on its port', async (t) => {
  const { log, warnings } = createLog()
  const { url } = await open(t, dataDir, { log })
  for (const signal of ['SIGKILL', 'SIGINT'] as const) {
    const pid = serverPid(dataDir)
    process.kill(pid, signal)
    await until('another server is ready', () => isReady(dataDir, pid))
    await until('the lock is back', () => warnings.at(-1)?.includes('answers again') ?? false)
    t.equal(await ask(url, 'select 1'), 1)
  }
  await t.rejects(open(t, dataDir), /another Afterword already runs/)
})

t.test('a lost lock is taken again on the running Postgres', async (t) => {
  const { log, warnings } = createLog()
  const { url } = await open(t, dataDir, { log })
  const pid = serverPid(dataDir)
  const victim = "from pg_stat_activity where application_name = 'afterword lock'"
  await ask(url, `select pg_terminate_backend(pid) ${victim}`)
  await until('the lock is back', () => warnings.at(-1)?.includes('answers again') ?? false)
  t.equal(serverPid(dataDir), pid)
})

t.test('closing during a restart of Postgres leaves no Postgres running', async (t) => {
  const embedded = await open(t, dataDir)
  process.kill(serverPid(dataDir), 'SIGKILL')
  await sleep(30)
  await embedded.close()
  t.equal(findServer(join(dataDir, 'postgres')), undefined)
})

t.test('an empty postmaster.pid that was left behind does not stop a start', async (t) => {
  await (await open(t, dataDir)).close()
  const file = join(dataDir, 'postgres', 'postmaster.pid')
  writeFileSync(file, '')
  const longAgo = new Date(Date.now() - 60_000)
  utimesSync(file, longAgo, longAgo)
  const { url } = await open(t, dataDir)
  t.equal(await ask(url, 'select 1 as answer'), 1)
})

t.test('a postmaster.pid with the pid of another program does not stop a start', async (t) => {
  await (await open(t, dataDir)).close()
  const stranger = spawn('sleep', ['60'], isRoot ? NOBODY : {})
  t.teardown(() => kill(stranger))
  writeFileSync(join(dataDir, 'postgres', 'postmaster.pid'), `${stranger.pid}\n${dataDir}\n`)
  const { url } = await open(t, dataDir)
  t.equal(await ask(url, 'select 1'), 1)
})

t.test('the files of a killed initdb are removed', async (t) => {
  const dataDir = tempFolder(t)
  const gone = spawn('true')
  await once(gone, 'exit')
  mkdirSync(join(dataDir, `postgres.new-${gone.pid}-00000000`, 'base'), { recursive: true })
  await open(t, dataDir)
  const left = readdirSync(dataDir).sort()
  t.strictSame(left, ['postgres', 'postgres.log', 'postgres.password'])
})

t.test('a lost password stops the start before Postgres runs', async (t) => {
  await (await open(t, dataDir)).close()
  const password = takePassword(t)
  rmSync(password)
  await t.rejects(open(t, dataDir), /postgres\.password is gone/)
})

t.test('a wrong password stops the start, and no Postgres stays behind', async (t) => {
  await (await open(t, dataDir)).close()
  writeFileSync(takePassword(t), 'wrong')
  await t.rejects(open(t, dataDir), /postgres\.password does not open the data/)
  t.equal(findServer(join(dataDir, 'postgres')), undefined)
})

t.test('a Postgres that cannot start is reported immediately with its reason', async (t) => {
  const settings = { ...FAST, shared_buffers: 'plenty' }
  await t.rejects(open(t, dataDir, { settings }), /does not start .*"shared_buffers"/s)
})

t.test('as root, a default folder that Postgres cannot enter becomes a link', asRoot, async (t) => {
  const dataDir = join(tempFolder(t, 0o700), 'data')
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 12)
  const target = `/var/lib/afterword/data-${hash}`
  t.teardown(() => rmSync(target, { recursive: true, force: true }))
  const { log, warnings } = createLog()
  const first = await open(t, dataDir, { mayRelocate: true, log })
  t.equal(readlinkSync(dataDir), target)
  t.equal(warnings.length, 1)
  t.ok(warnings[0]?.includes(dataDir) && warnings[0].includes(target), 'both are named')
  await ask(first.url, 'create table kept as select 42 as answer')
  await first.close()
  const second = await open(t, dataDir, { mayRelocate: true, log })
  t.equal(await ask(second.url, 'select answer from kept'), 42)
  t.equal(warnings.length, 1)
})

t.test('as root, a chosen folder that Postgres cannot enter is refused', asRoot, async (t) => {
  const closed = tempFolder(t, 0o700)
  const message = new RegExp(`may not enter ${closed},.*AFTERWORD_DATA`, 's')
  await t.rejects(open(t, join(closed, 'data')), { message })
  t.notOk(existsSync(join(closed, 'data')))
})

t.test('as root, restored data that root owns is given to Postgres’ user', asRoot, async (t) => {
  await (await open(t, dataDir)).close()
  const all = readdirSync(dataDir, { recursive: true, encoding: 'utf8' })
  for (const name of ['.', ...all]) chownSync(join(dataDir, name), 0, 0)
  chmodSync(join(dataDir, 'postgres'), 0o755)
  const { url } = await open(t, dataDir)
  t.equal(await ask(url, 'select 1'), 1)
})

t.test('as root, the data of another user is served as that user', asRoot, async (t) => {
  await (await open(t, dataDir)).close()
  const all = readdirSync(dataDir, { recursive: true, encoding: 'utf8' })
  for (const name of all) chownSync(join(dataDir, name), 12345, 12345)
  await open(t, dataDir)
  t.equal(lstatSync(`/proc/${serverPid(dataDir)}`).uid, 12345)
})

t.test('links that npm --ignore-scripts left out are created', async (t) => {
  const { packageFolder, links } = copyPackage(t)
  for (const link of links) rmSync(link)
  const native = await prepareBinaries({ packageFolder, user: undefined })
  t.equal(native, join(packageFolder, 'native'))
  for (const link of links) t.ok(existsSync(link), link)
})

t.test('as root, binaries that Postgres’ user cannot reach are copied once', asRoot, async (t) => {
  const { packageFolder } = copyPackage(t)
  chmodSync(join(packageFolder, 'native'), 0o700)
  const sharedFolder = join(tempFolder(t), 'shared')
  const options = { packageFolder, user: NOBODY, sharedFolder }
  const folders = await Promise.all([prepareBinaries(options), prepareBinaries(options)])
  t.strictSame(
    folders,
    readdirSync(sharedFolder).flatMap((name) => Array(2).fill(join(sharedFolder, name))),
  )
  const server = spawn(join(folders[0]!, 'bin', 'postgres'), ['--version'], { ...NOBODY, cwd: '/' })
  const [code] = await once(server, 'exit')
  t.equal(code, 0)
})
