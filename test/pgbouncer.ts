import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePort, until } from './start.ts'

type Teardown = { teardown: (callback: () => unknown) => void }

const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }
const found = spawnSync('pgbouncer', ['--version'], { env, encoding: 'utf8' })

export const skipWithoutPgBouncer = found.error ? 'pgbouncer is not on the PATH' : false

const [, major, minor] = /PgBouncer (\d+)\.(\d+)/.exec(found.stdout ?? '') ?? []

/** Since 1.21, PgBouncer prepares the statements of a client on every session that it gives to the client. */
export const keepsStatements = Number(major) > 1 || Number(minor) >= 21

/** PgBouncer refuses to run as root. */
const NOBODY = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}

type Options = { readonly mode: 'session' | 'transaction'; readonly settings?: readonly string[] }

/** Starts a PgBouncer in front of the server of a database. @returns the same database behind it */
export const openPgBouncer = async (
  t: Teardown,
  databaseUrl: string,
  { mode, settings = [] }: Options,
): Promise<{ url: string; log: () => string }> => {
  const { hostname, port: serverPort, username, password, pathname } = new URL(databaseUrl)
  const port = await findFreePort()
  const folder = mkdtempSync(join(tmpdir(), 'afterword-pgbouncer-'))
  const file = join(folder, 'pgbouncer.ini')
  const user = `user=${username} password=${decodeURIComponent(password)}`
  const lines = [
    '[databases]',
    `* = host=${hostname} port=${serverPort} ${user}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = any',
    `pool_mode = ${mode}`,
    'default_pool_size = 4',
    'max_client_conn = 200',
    ...settings,
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  if (NOBODY.uid) chownSync(file, NOBODY.uid, NOBODY.gid)
  chmodSync(file, 0o600)
  chmodSync(folder, 0o755)
  let log = ''
  const child = spawn('pgbouncer', [file], { env, ...NOBODY })
  const exit = once(child, 'exit')
  child.stderr.on('data', (data) => {
    log += data
  })
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exit
    rmSync(folder, { recursive: true })
  })
  await until('for PgBouncer to listen', async () => {
    if (child.exitCode !== null) throw new Error(`PgBouncer has ended: ${log}`)
    const socket = connect(port, '127.0.0.1')
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    return isOpen
  })
  return { url: `postgres://${username}@127.0.0.1:${port}${pathname}`, log: () => log }
}
