import { execFile } from 'node:child_process'
import { chmodSync, chownSync, existsSync, globSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findServerUser } from '../src/postgres/embedded/user.ts'
import { findFreePort } from './start.ts'

const run = promisify(execFile)

/** The programs of the oldest Postgres that Debian has installed here. */
const BINARIES = globSync('/usr/lib/postgresql/*/bin').sort()[0]

export const skipWithoutPostgres = BINARIES ? false : 'there is no Postgres in /usr/lib/postgresql'

/** A Postgres of the system, which is older than the embedded one, with an empty database. */
export const openDebianPostgres = async (t: {
  teardown: (callback: () => unknown) => void
}): Promise<{ url: string; version: number }> => {
  const root = mkdtempSync(join(tmpdir(), 'afterword-postgres-'))
  chmodSync(root, 0o755)
  const folder = join(root, 'data')
  mkdirSync(folder, { mode: 0o700 })
  const user = findServerUser(folder)
  if (user) chownSync(folder, user.uid, user.gid)
  const options = { ...user, cwd: folder, env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' } }
  const call = (program: string, ...args: string[]) => run(join(BINARIES!, program), args, options)
  await call(
    'initdb',
    '-D',
    folder,
    '-U',
    'postgres',
    '--auth=trust',
    '--no-sync',
    '--encoding=UTF8',
  )
  const port = await findFreePort()
  const settings = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off`
  await call('pg_ctl', 'start', '-w', '-D', folder, '-l', join(folder, 'log'), '-o', settings)
  t.teardown(async () => {
    if (existsSync(join(folder, 'postmaster.pid')))
      await call('pg_ctl', 'stop', '-D', folder, '-m', 'immediate')
    rmSync(root, { recursive: true, force: true })
  })
  const version = Number(/(\d+)\/bin$/.exec(BINARIES!)?.[1])
  return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, version }
}
