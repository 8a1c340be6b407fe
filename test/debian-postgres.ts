import { execFile } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findServerUser } from '../src/postgres/embedded/user.ts'
import { findFreePort } from './start.ts'

const run = promisify(execFile)

/** The programs of the oldest Postgres that Debian has installed here. */
const BINARIES = globSync('/usr/lib/postgresql/*/bin').sort()[0]

export const skipWithoutPostgres = BINARIES ? false : 'there is no Postgres in /usr/lib/postgresql'

type Teardown = { teardown: (callback: () => unknown) => void }

type Options = {
  /** Like `ssl=on`. */
  readonly settings?: readonly string[]
  /** Lines of pg_hba.conf; unset: every user comes in. */
  readonly access?: readonly string[]
  /** Files of the data folder. */
  readonly files?: Readonly<Record<string, string>>
  /** The server of which this one is a standby. */
  readonly primary?: DebianPostgres
}

export type DebianPostgres = {
  readonly url: string
  readonly version: number
  readonly port: number
  /** The folder of its socket. */
  readonly socketFolder: string
  readonly stop: () => Promise<unknown>
  readonly promote: () => Promise<unknown>
}

/** A Postgres of the system, which is older than the embedded one, with an empty database. */
export const openDebianPostgres = async (
  t: Teardown,
  options: Options = {},
): Promise<DebianPostgres> => {
  const root = mkdtempSync(join(tmpdir(), 'afterword-postgres-'))
  chmodSync(root, 0o755)
  const folder = join(root, 'data')
  mkdirSync(folder, { mode: 0o700 })
  const user = findServerUser(folder)
  if (user) for (const path of [root, folder]) chownSync(path, user.uid, user.gid)
  const spawning = { ...user, cwd: folder, env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' } }
  const call = (program: string, ...args: string[]) => run(join(BINARIES!, program), args, spawning)
  if (options.primary) {
    const from = ['-h', '127.0.0.1', '-p', `${options.primary.port}`, '-U', 'postgres']
    await call('pg_basebackup', '-D', folder, ...from, '--write-recovery-conf', '--checkpoint=fast')
  } else {
    const plain = ['--auth=trust', '--no-sync', '--encoding=UTF8']
    await call('initdb', '-D', folder, '-U', 'postgres', ...plain)
  }
  for (const [name, text] of Object.entries(options.files ?? {})) {
    writeFileSync(join(folder, name), text, { mode: 0o600 })
    if (user) chownSync(join(folder, name), user.uid, user.gid)
  }
  if (options.access) writeFileSync(join(folder, 'pg_hba.conf'), `${options.access.join('\n')}\n`)
  const port = await findFreePort()
  const settings = [
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${root}`,
    'fsync=off',
    ...(options.settings ?? []),
  ].map((setting) => `-c ${setting}`)
  const flags = `-p ${port} ${settings.join(' ')}`
  await call('pg_ctl', 'start', '-w', '-D', folder, '-l', join(folder, 'log'), '-o', flags)
  const stop = async () => {
    if (existsSync(join(folder, 'postmaster.pid')))
      await call('pg_ctl', 'stop', '-D', folder, '-m', 'immediate')
  }
  t.teardown(async () => {
    await stop()
    rmSync(root, { recursive: true, force: true })
  })
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    version: Number(/(\d+)\/bin$/.exec(BINARIES!)?.[1]),
    port,
    socketFolder: root,
    stop,
    promote: () => call('pg_ctl', 'promote', '-w', '-D', folder),
  }
}
