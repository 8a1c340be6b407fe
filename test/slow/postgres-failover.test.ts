import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { parsePostgresUrl } from '../../src/postgres/connection/address.ts'
import { openClient } from '../../src/postgres/connection/client.ts'
import { createDb } from '../../src/postgres/connection/db.ts'
import { reasonOf } from '../../src/postgres/connection/fault-reasons.ts'
import { type DebianPostgres, openDebianPostgres, skipWithoutPostgres } from '../debian-postgres.ts'
import { startNode } from '../own-service.ts'
import { findFreePort, until } from '../start.ts'

const skip = skipWithoutPostgres

const urlOfBoth = (servers: DebianPostgres[], parameters = ''): string =>
  `postgres://postgres@${servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}/postgres?${parameters}`

const openPair = async (t: Test) => {
  const primary = await openDebianPostgres(t)
  const standby = await openDebianPostgres(t, { primary })
  return { primary, standby }
}

t.test('of several servers a connection takes the first of the right kind', { skip }, async (t) => {
  const { primary, standby } = await openPair(t)
  const gone = { ...primary, port: await findFreePort() }
  const portOf = async (url: string) => {
    const client = await openClient(parsePostgresUrl(url), { timeoutMs: 5_000 }).catch(reasonOf)
    if (typeof client === 'string') return client
    await client.end()
    return client.port
  }
  const kinds: [string, DebianPostgres[], number | string][] = [
    ['', [standby, primary], primary.port],
    ['target_session_attrs=any', [gone, standby, primary], standby.port],
    ['target_session_attrs=read-write', [gone, standby, primary], primary.port],
    ['target_session_attrs=primary', [standby, primary], primary.port],
    ['target_session_attrs=read-only', [primary, standby], standby.port],
    ['target_session_attrs=standby', [primary, standby], standby.port],
    ['target_session_attrs=prefer-standby', [primary, standby], standby.port],
    ['target_session_attrs=prefer-standby', [primary, gone], primary.port],
    ['', [gone, standby], 'no_primary'],
    ['', [standby, gone], 'no_primary'],
    ['target_session_attrs=standby', [primary], 'no_standby'],
  ]
  for (const [parameters, servers, expected] of kinds)
    t.equal(await portOf(urlOfBoth(servers, parameters)), expected, parameters)
})

t.test(
  'when a standby becomes the primary, posts go on there and none is lost',
  { skip },
  async (t) => {
    const { primary, standby } = await openPair(t)
    const url = urlOfBoth([primary, standby])
    const { post, readAll, ask } = await startNode(t, url)
    const acknowledged: string[] = []
    const statuses = new Set<number>()
    const stop = new AbortController()
    const write = async (writer: number) => {
      for (let n = 0; !stop.signal.aborted; n++) {
        const { status } = await post(`article-${writer}`, `${writer} ${n}`)
        statuses.add(status)
        if (status === 201) acknowledged.push(`${writer} ${n}`)
        else await sleep(20)
      }
    }
    const writers = [1, 2, 3].map(write)
    await until('for some posts', () => acknowledged.length > 20)
    // The standby has everything that was acknowledged once no post is under way.
    stop.abort()
    await Promise.all(writers)
    const has = async () => {
      const client = await openClient(parsePostgresUrl(standby.url), { timeoutMs: 5_000 })
      const { rows } = await client.query('select count(*)::int as n from comments')
      await client.end()
      return rows[0].n
    }
    await until('for the standby to catch up', async () => (await has()) === acknowledged.length)
    await primary.stop()
    t.equal((await post('article-1', 'in between')).status, 503)
    const away = await ask('/readyz')
    t.equal(away.status, 503)
    t.match(away.body.checks, { postgres: 'no_primary' })
    await standby.promote()
    await until('for a post', async () => (await post('article-1', 'after')).status === 201)
    t.equal((await ask('/readyz')).status, 200)
    const read = (await Promise.all([1, 2, 3].map((n) => readAll(`article-${n}`)))).flat()
    t.same(
      acknowledged.filter((text) => !read.includes(text)),
      [],
    )
    t.ok(read.includes('after'))
  },
)

t.test(
  'connections to a server that accepts no writes any more are dropped',
  { skip },
  async (t) => {
    const first = await openDebianPostgres(t)
    const second = await openDebianPostgres(t)
    const { db, close } = createDb({ url: urlOfBoth([first, second]), max: 4, onError: () => {} })
    t.teardown(close)
    const portOf = async () => {
      const { rows } = await sql<{
        port: number
      }>`select inet_server_port() as port, pg_sleep(0.01)`.execute(db)
      return rows[0]!.port
    }
    t.same(new Set(await Promise.all([1, 2, 3, 4].map(portOf))), new Set([first.port]))
    const admin = await openClient(parsePostgresUrl(first.url), { timeoutMs: 5_000 })
    t.teardown(() => admin.end())
    await admin.query('alter system set default_transaction_read_only = on')
    await admin.query('select pg_reload_conf()')
    await until('for the other server', async () => (await portOf()) === second.port)
    await until('for nothing but the other server', async () => {
      const ports = await Promise.all([1, 2, 3, 4].map(portOf))
      return ports.every((port) => port === second.port)
    })
  },
)
