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
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import { findBinariesPackage, prepareBinaries } from '../../../src/postgres/embedded/binaries.ts'
import { openEmbedded } from '../../../src/postgres/embedded/embedded.ts'
import { findServer, isAlive } from '../../../src/postgres/embedded/process.ts'

const FAST = { fsync: 'off' }
const NOBODY = { uid: 65534, gid: 65534 }
const MODULE = join(import.meta.dirname, '../../../src/postgres/embedded/embedded.ts')

const isRoot = process.getuid?.() === 0
const asRoot = isRoot ? {} : { skip: 'only root runs Postgres as another user: not tested here' }

type Options = Partial<Parameters<typeof openEmbedded>[0]>

const open = async (t: Test, dataDir: string, options: Options = {}) => {
  const { log } = createLog()
  const embedded = await openEmbedded({
    dataDir,
    mayRelocate: false,
    settings: FAST,
    log,
    ...options,
  })
  t.teardown(() => embedded.close())
  return embedded
}

const createLog = () => {
  const warnings: string[] = []
  const warn = (_fields: object, message: string) => void warnings.push(message)
  return { warnings, log: { info: () => {}, warn } }
}

/** Removed last: tap runs tear-downs in reverse, so the server in it is closed by then. */
const tempFolder = (t: Test, mode = 0o755): string => {
  const folder = mkdtempSync(join(tmpdir(), 'afterword-embedded-'))
  chmodSync(folder, mode)
  t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

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

const ask = async (url: string, statement: string): Promise<unknown> => {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query({ text: statement, rowMode: 'array' })
    return rows[0]?.[0]
  } finally {
    await client.end()
  }
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

const serverPid = (dataDir: string): number => findServer(join(dataDir, 'postgres'))?.pid ?? 0

const isReady = (dataDir: string, not: number): boolean => {
  const server = findServer(join(dataDir, 'postgres'))
  return server?.status === 'ready' && server.pid !== not
}

const until = async (what: string, isTrue: () => boolean): Promise<void> => {
  const begun = Date.now()
  while (!isTrue()) {
    if (Date.now() - begun > 20_000) throw new Error(`waited 20 s in vain until ${what}`)
    await sleep(20)
  }
}

/** The file of the shared folder, which gets its text back afterwards. */
const takePassword = (t: Test): string => {
  const file = join(dataDir, 'postgres.password')
  const text = readFileSync(file, 'utf8')
  t.teardown(() => writeFileSync(file, text, { mode: 0o600 }))
  return file
}

/** An initdb costs 0.7 s and more: tests that need no fresh folder take turns on this one. */
const dataDir = join(tempFolder(t), 'data')

t.test('a fresh start answers, durably', async (t) => {
  const { url } = await open(t, tempFolder(t), { settings: {} })
  t.equal(await ask(url, 'select 1'), 1)
  for (const name of ['fsync', 'full_page_writes', 'synchronous_commit']) {
    t.equal(await ask(url, `show ${name}`), 'on', name)
  }
})

t.test('the server listens on loopback only and sorts alike everywhere', async (t) => {
  const { url } = await open(t, dataDir)
  t.equal(await ask(url, 'show listen_addresses'), '127.0.0.1')
  t.equal(await ask(url, 'show unix_socket_directories'), '')
  t.equal(await ask(url, 'show server_encoding'), 'UTF8')
  t.equal(await ask(url, 'show max_parallel_workers_per_gather'), '0')
  const locale = "select datlocale from pg_database where datname = 'afterword'"
  t.equal(await ask(url, locale), 'C.UTF-8')
})

t.test('the password is in a file that only its owner reads, and is asked for', async (t) => {
  const { url } = await open(t, dataDir)
  const file = join(dataDir, 'postgres.password')
  t.equal(lstatSync(file).mode & 0o777, 0o600)
  t.equal(new URL(url).password, readFileSync(file, 'utf8'))
  await t.rejects(ask(url.replace(/:[0-9a-f]+@/, ':guess@'), 'select 1'), { code: '28P01' })
})

t.test('the log of the server holds no statement and no value', async (t) => {
  const { url } = await open(t, dataDir)
  await ask(url, 'create table guests (email text unique)')
  await ask(url, "insert into guests values ('ann@example.org')")
  await t.rejects(ask(url, "insert into guests values ('ann@example.org')"), { code: '23505' })
  t.notMatch(readFileSync(join(dataDir, 'postgres.log'), 'utf8'), 'ann@example.org')
})

t.test('a second start finds the data, and nothing of the first start runs', async (t) => {
  const first = await open(t, dataDir)
  await ask(first.url, 'create table kept as select 42 as answer')
  const pid = serverPid(dataDir)
  await first.close()
  t.equal(findServer(join(dataDir, 'postgres')), undefined)
  await until('the process is waited for', () => !isAlive(pid))
  const second = await open(t, dataDir)
  t.equal(await ask(second.url, 'select answer from kept'), 42)
})

t.test('closing twice is closing once', async (t) => {
  const embedded = await open(t, dataDir)
  await Promise.all([embedded.close(), embedded.close()])
  await embedded.close()
})

t.test('a second service on the same folder is refused, and the first goes on', async (t) => {
  const { url } = await open(t, dataDir)
  const message = `another Afterword already runs on ${dataDir}`
  await t.rejects(open(t, dataDir), { message })
  t.equal(await ask(url, 'select 1'), 1)
})

t.test('of services that start at once on a fresh folder exactly one wins', async (t) => {
  const dataDir = tempFolder(t)
  const starts = await Promise.allSettled([1, 2, 3].map(() => open(t, dataDir)))
  const won = starts.filter((start) => start.status === 'fulfilled')
  const lost = starts.filter((start) => start.status === 'rejected')
  t.equal(won.length, 1)
  for (const { reason } of lost) t.match(reason.message, /^another Afterword already runs on/)
  t.equal(await ask(won[0]!.value.url, 'select 1'), 1)
})

t.test('of processes that start at once on a stopped folder exactly one wins', async (t) => {
  await (await open(t, dataDir)).close()
  const lines = await Promise.all([1, 2].map(() => openInChild(t, dataDir).line))
  t.equal(lines.filter((line) => line.startsWith('postgres://')).length, 1, lines.join('\n'))
  const lost = lines.filter((line) => line.startsWith('another Afterword already runs'))
  t.equal(lost.length, 1)
})

t.test('a start after kill -9 of the service attaches to its server', async (t) => {
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

t.test('a start after kill -9 of the service and of its server recovers', async (t) => {
  const { child, line } = openInChild(t, dataDir)
  await ask(await line, 'create table saved as select 42 as answer')
  await kill(child)
  process.kill(serverPid(dataDir), 'SIGKILL')
  const { url } = await open(t, dataDir)
  t.equal(await ask(url, 'select answer from saved'), 42)
})

t.test('a server killed under the service comes back on its port, and stays ours', async (t) => {
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

t.test('a lost lock is taken again on the server that goes on', async (t) => {
  const { log, warnings } = createLog()
  const { url } = await open(t, dataDir, { log })
  const pid = serverPid(dataDir)
  const victim = "from pg_stat_activity where application_name = 'afterword lock'"
  await ask(url, `select pg_terminate_backend(pid) ${victim}`)
  await until('the lock is back', () => warnings.at(-1)?.includes('answers again') ?? false)
  t.equal(serverPid(dataDir), pid)
})

t.test('closing while the server is being restarted leaves no server', async (t) => {
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

t.test('a postmaster.pid whose number a stranger has by now does not stop a start', async (t) => {
  await (await open(t, dataDir)).close()
  const stranger = spawn('sleep', ['60'], isRoot ? NOBODY : {})
  t.teardown(() => kill(stranger))
  writeFileSync(join(dataDir, 'postgres', 'postmaster.pid'), `${stranger.pid}\n${dataDir}\n`)
  const { url } = await open(t, dataDir)
  t.equal(await ask(url, 'select 1'), 1)
})

t.test('what a killed initdb left behind is cleaned up', async (t) => {
  const dataDir = tempFolder(t)
  const gone = spawn('true')
  await once(gone, 'exit')
  mkdirSync(join(dataDir, `postgres.new-${gone.pid}-00000000`, 'base'), { recursive: true })
  await open(t, dataDir)
  const left = readdirSync(dataDir).sort()
  t.strictSame(left, ['postgres', 'postgres.log', 'postgres.password'])
})

t.test('a lost password is told before anything is started', async (t) => {
  await (await open(t, dataDir)).close()
  const password = takePassword(t)
  rmSync(password)
  await t.rejects(open(t, dataDir), /postgres\.password is gone/)
})

t.test('a wrong password is told, and no server stays behind', async (t) => {
  await (await open(t, dataDir)).close()
  writeFileSync(takePassword(t), 'wrong')
  await t.rejects(open(t, dataDir), /postgres\.password does not open the data/)
  t.equal(findServer(join(dataDir, 'postgres')), undefined)
})

t.test('a server that cannot start is told at once, with its reason', async (t) => {
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

t.test('as root, data that came back from a copy as root’s goes to Postgres', asRoot, async (t) => {
  await (await open(t, dataDir)).close()
  const all = readdirSync(dataDir, { recursive: true, encoding: 'utf8' })
  for (const name of ['.', ...all]) chownSync(join(dataDir, name), 0, 0)
  chmodSync(join(dataDir, 'postgres'), 0o755)
  const { url } = await open(t, dataDir)
  t.equal(await ask(url, 'select 1'), 1)
})

t.test('as root, data of a person is served as that person', asRoot, async (t) => {
  await (await open(t, dataDir)).close()
  const all = readdirSync(dataDir, { recursive: true, encoding: 'utf8' })
  for (const name of all) chownSync(join(dataDir, name), 12345, 12345)
  await open(t, dataDir)
  t.equal(lstatSync(`/proc/${serverPid(dataDir)}`).uid, 12345)
})

t.test('links that --ignore-scripts left out are made', async (t) => {
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
