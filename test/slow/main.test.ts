import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { createEnvFolder } from '../env-folder.ts'
import { bodiesOf, postTo } from '../hello.ts'
import { createDatabase } from '../servers.ts'
import { createDataDir, findFreePort, findPostgres, type Started, start, until } from '../start.ts'

t.test('a second service on the same data is refused, and the first continues', async (t) => {
  const settings = { AFTERWORD_DATA: createDataDir(t) }
  const first = start(t, settings)
  const url = await first.ready()
  const second = start(t, settings)
  t.equal(await second.ended(), 1)
  t.match(second.err(), `another Afterword already runs on ${settings.AFTERWORD_DATA}`)
  t.equal((await postTo(url, 'Still here')).status, 201)
})

t.test('after kill -9 of the service a start finds every acknowledged comment', async (t) => {
  const settings = { AFTERWORD_DATA: createDataDir(t) }
  const first = start(t, settings)
  await postTo(await first.ready(), 'Acknowledged')
  await first.stop('SIGKILL')
  t.ok(findPostgres(settings.AFTERWORD_DATA), 'its Postgres lives on')
  const second = start(t, settings)
  t.same(await bodiesOf(await second.ready()), ['Acknowledged'])
  t.equal(await second.stop(), 0)
  t.equal(findPostgres(settings.AFTERWORD_DATA), undefined, 'and is stopped by the second')
})

t.test(
  'after kill -9 of the service and its Postgres a start finds every acknowledged comment',
  async (t) => {
    const settings = { AFTERWORD_DATA: createDataDir(t) }
    const first = start(t, settings)
    await postTo(await first.ready(), 'Acknowledged')
    process.kill(findPostgres(settings.AFTERWORD_DATA)!.pid, 'SIGKILL')
    await first.stop('SIGKILL')
    t.same(await bodiesOf(await start(t, settings).ready()), ['Acknowledged'])
  },
)

t.test('a running service restarts its killed Postgres', async (t) => {
  const settings = { AFTERWORD_DATA: createDataDir(t) }
  const service = start(t, settings)
  const url = await service.ready()
  await postTo(url, 'Acknowledged')
  const { pid } = findPostgres(settings.AFTERWORD_DATA)!
  process.kill(pid, 'SIGKILL')
  await until('for another Postgres', () => {
    const server = findPostgres(settings.AFTERWORD_DATA)
    return server?.status === 'ready' && server.pid !== pid
  })
  await until('for the service to be ready again', async () => (await fetch(`${url}/readyz`)).ok)
  t.same(await bodiesOf(url), ['Acknowledged'])
})

t.test(
  'a service without Postgres at its start is alive, and ready once Postgres is there',
  async (t) => {
    const { url: database } = await createDatabase(t)
    const port = await findFreePort()
    const service = start(t, { DATABASE_URL: withPort(database, port) })
    const url = await service.listening()
    t.equal((await fetch(`${url}/livez`)).status, 200)
    const early = await fetch(`${url}/readyz`)
    t.equal(early.status, 503)
    t.same(await early.json(), {
      status: 'unavailable',
      checks: { postgres: 'connection_refused' },
    })
    const refused = await postTo(url, 'Too early')
    t.equal(refused.status, 503)
    t.match(await refused.json(), { code: 'unavailable' })

    await forward(t, port, database)
    const begun = Date.now()
    t.equal(await service.ready(), url)
    t.ok(Date.now() - begun < 3_000, 'soon after Postgres is there')
    t.same(await (await fetch(`${url}/readyz`)).json(), {
      status: 'degraded',
      checks: { postgres: 'not durable: fsync, full_page_writes, synchronous_commit off' },
    })
    t.equal((await postTo(url, 'In time')).status, 201)
    t.equal(await service.stop(), 0)
  },
)

t.test('a service that never found its Postgres stops on SIGTERM', async (t) => {
  const DATABASE_URL = `postgres://nobody@127.0.0.1:${await findFreePort()}/none`
  const service = start(t, { DATABASE_URL })
  await service.listening()
  t.equal(await service.stop(), 0)
})

const withPort = (url: string, port: number): string => {
  const changed = new URL(url)
  changed.port = String(port)
  return changed.href
}

/** Lets a port lead to the server of a URL. */
const forward = async (t: Test, port: number, url: string): Promise<void> => {
  const { hostname, port: target } = new URL(url)
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(Number(target), hostname)
    for (const socket of [near, far]) sockets.add(socket.on('error', () => {}))
    near.pipe(far).pipe(near)
  }).listen(port, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
}

const startByNpm = (t: Test, dataDir: string): Started =>
  start(t, { AFTERWORD_DATA: dataDir }, ['npm', 'start'])

t.test('SIGTERM for `npm start` reaches the service', async (t) => {
  const dataDir = createDataDir(t)
  const npm = startByNpm(t, dataDir)
  await npm.ready()
  t.equal(await npm.stop(), 0)
  t.match(npm.out(), '"msg":"stopped"')
  t.equal(findPostgres(dataDir), undefined)
})

t.test('`npm start` reads the file .env', async (t) => {
  const dataDir = createDataDir(t)
  const key = 'k'.repeat(43)
  const folder = createEnvFolder(t, { AFTERWORD_DATA: dataDir, AFTERWORD_ADMIN_KEY: key, HOST: '' })
  const npm = start(t, {}, ['npm', '--prefix', folder, 'start'])
  const headers = { authorization: `Bearer ${key}` }
  t.equal((await fetch(`${await npm.ready()}/v1/keys`, { headers })).status, 200)
  t.ok(findPostgres(dataDir))
  t.equal(await npm.stop(), 0)
})

t.test('SIGTERM for the whole group of `npm start` stops the service once', async (t) => {
  const dataDir = createDataDir(t)
  const npm = startByNpm(t, dataDir)
  await npm.ready()
  process.kill(-npm.child.pid!, 'SIGTERM')
  t.equal(await npm.ended(), 0)
  t.equal(npm.out().match(/finishing what is in flight/g)?.length, 1)
  t.equal(findPostgres(dataDir), undefined)
})
