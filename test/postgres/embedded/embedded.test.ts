import { lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { findServer, isAlive } from '../../../src/postgres/embedded/process.ts'
import { ask, dataDir, open, serverPid, tempFolder, until } from './own-folder.ts'

t.test('openEmbedded starts a Postgres with durable writes', async (t) => {
  const { url } = await open(t, tempFolder(t), { settings: {} })
  t.equal(await ask(url, 'select 1'), 1)
  for (const name of ['fsync', 'full_page_writes', 'synchronous_commit']) {
    t.equal(await ask(url, `show ${name}`), 'on', name)
  }
})

t.test('the embedded server listens on loopback only and sorts alike everywhere', async (t) => {
  const { url } = await open(t, dataDir)
  t.equal(await ask(url, 'show listen_addresses'), '127.0.0.1')
  t.equal(await ask(url, 'show unix_socket_directories'), '')
  t.equal(await ask(url, 'show server_encoding'), 'UTF8')
  t.equal(await ask(url, 'show max_parallel_workers_per_gather'), '0')
  const locale = "select datlocale from pg_database where datname = 'afterword'"
  t.equal(await ask(url, locale), 'C.UTF-8')
})

t.test(
  'the embedded server requires the password, in a file that only its owner reads',
  async (t) => {
    const { url } = await open(t, dataDir)
    const file = join(dataDir, 'postgres.password')
    t.equal(lstatSync(file).mode & 0o777, 0o600)
    t.equal(new URL(url).password, readFileSync(file, 'utf8'))
    await t.rejects(ask(url.replace(/:[0-9a-f]+@/, ':guess@'), 'select 1'), { code: '28P01' })
  },
)

t.test('the log of the embedded server holds no statement and no value', async (t) => {
  const { url } = await open(t, dataDir)
  await ask(url, 'create table guests (email text unique)')
  await ask(url, "insert into guests values ('ann@example.org')")
  await t.rejects(ask(url, "insert into guests values ('ann@example.org')"), { code: '23505' })
  t.notMatch(readFileSync(join(dataDir, 'postgres.log'), 'utf8'), 'ann@example.org')
})

t.test('a second start finds the data, and no process of the first start runs', async (t) => {
  const first = await open(t, dataDir)
  await ask(first.url, 'create table kept as select 42 as answer')
  const pid = serverPid(dataDir)
  await first.close()
  t.equal(findServer(join(dataDir, 'postgres')), undefined)
  await until('the process is waited for', () => !isAlive(pid))
  const second = await open(t, dataDir)
  t.equal(await ask(second.url, 'select answer from kept'), 42)
})

t.test('closing an embedded server twice has the effect of once', async (t) => {
  const embedded = await open(t, dataDir)
  await Promise.all([embedded.close(), embedded.close()])
  await embedded.close()
})
