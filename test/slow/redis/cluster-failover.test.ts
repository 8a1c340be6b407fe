import t from 'tap'
import { isCluster, isReady } from '../../../src/redis/client.ts'
import { findThreads, startClusterWithReplica, startNode } from '../../redis/own-cluster.ts'
import { openRedis, skipOwn, until, untilSaid } from '../../redis/own-server.ts'

t.test('a client of a cluster whose nodes go', { skip: skipOwn }, async (t) => {
  const { url, nodes, replica } = await startClusterWithReplica(t)
  const elsewhere = await startNode(t)
  await elsewhere.admin.cluster('ADDSLOTSRANGE', 0, 16_383)
  await elsewhere.kill()
  const { redis, lines, troubles } = await openRedis(t, `${url},127.0.0.1:${elsewhere.port}`)

  t.test('a cluster client follows to the replica that replaces its master', async (t) => {
    const [thread] = await findThreads(nodes, 1)
    const key = `{1:${thread}}k`
    await nodes[0]!.admin.set(key, 'kept')
    await nodes[0]!.admin.wait(1, 5_000)
    const before = troubles.count
    await nodes[0]!.kill()
    const ask = () => redis.get(key).catch(() => undefined)
    await until('the master to be away', async () => (await ask()) === undefined || undefined)
    t.ok(troubles.count > before, 'it is told that the master is away')
    const away = troubles.count
    t.equal(await until('an answer', async () => (await ask()) ?? undefined), 'kept')
    t.ok(troubles.count > away, 'and before the first answer that another one is there')
    t.ok(isReady(redis))
    t.match(lines, [{ level: 40 }, { level: 30, msg: /is back$/ }])
    t.equal(lines.length, 2)
    t.match(await replica.admin.role(), ['master'])
  })

  t.test(
    'a cluster client asks the hosts of its address again when all known nodes are gone',
    async (t) => {
      await nodes[0]!.start()
      // A replica that was never asked keeps no connection that could end.
      await until('the one before to be known as a replica', async () => {
        if (isCluster(redis)) redis.refreshSlotsCache()
        return (isCluster(redis) && redis.nodes('slave')[0]) || undefined
      })
      await Promise.all([...nodes, replica].map((node) => node.kill()))
      await until('the cluster to be lost', async () => redis.status !== 'ready' || undefined)
      t.notOk(isReady(redis))
      await t.rejects(redis.get('a'))
      const before = troubles.count
      await elsewhere.start()
      t.equal(await untilSaid('an answer', () => redis.get('a')), null)
      t.ok(troubles.count > before)
      t.ok(isReady(redis))
      t.match(lines.slice(2), [{ level: 40 }, { level: 30, msg: /is back$/ }])
    },
  )
})
