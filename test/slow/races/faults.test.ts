import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Load, type Look, runLoad } from '../../races/load.ts'
import { hideBeforeOlderDump } from '../../races/older-dump.ts'
import { type Node, openRace, type ProcessNode, type Race, untilRedisIs } from '../../races/race.ts'
import { skipOwn } from '../../redis/own-server.ts'

/** A fault is a 503, never anything else. */
const EXPECTED = / (200|201|204|503)$|^GET (304|404)$/
/** Longer than any time-out of the service. */
const LONG_PAUSE_MS = 4_000
/** After a fault a node trusts Redis again, and remembers. */
const TRUST_MS = 1_100

const untilHealed = async ({ send }: Race, nodes: readonly Node[]): Promise<void> => {
  for (const { link, database } of nodes) for (const one of [link, database]) one.heal()
  for (const node of nodes) await untilRedisIs('ok', send, node)
}

t.test('hidden comments stay hidden through faults of Redis', { skip: skipOwn }, async (t) => {
  const race = await openRace(t)
  const { server, redis } = race
  const nodes = await Promise.all([race.openProcess(), race.openProcess()])
  const [first, second] = nodes

  const scenario = (
    title: string,
    during: (look: Look) => Promise<unknown>,
    load: Partial<Load> = {},
  ): Promise<unknown> =>
    t.test(title, async (t: Test) => {
      const article = title.replaceAll(' ', '-')
      const report = await runLoad(race, nodes, { article, ...load }, during)
      t.comment(report)
      t.same(report.violations, [])
      const strange = Object.keys(report.answers).filter((what) => !EXPECTED.test(what))
      t.same(strange, [], 'no answer but those of the rules')
      await untilHealed(race, nodes)
    })

  await scenario('without any fault', () => sleep(1_500), { readBack: 'at once' })

  await scenario('when Redis is killed and started again', async () => {
    await sleep(300)
    await server.kill()
    await sleep(700)
    await server.start()
    await sleep(1_400)
  })

  await scenario('when Redis is frozen for longer than a second', async () => {
    await sleep(300)
    server.freeze()
    await sleep(1_200)
    server.thaw()
    await sleep(1_400)
  })

  await scenario('when Redis is flushed all the time, and late', async () => {
    for (const { link } of nodes) link.slow(3)
    for (const begun = performance.now(); performance.now() - begun < 2_000; await sleep(3))
      await redis.flushall()
  })

  await t.test(
    'a comment stays hidden when Redis returns with data from before the hide',
    async (t) => {
      await sleep(TRUST_MS)
      const { faults, isOlder } = await hideBeforeOlderDump(race, nodes, 'older-dump')
      t.same(faults, [])
      t.ok(isOlder, 'the tokens are those from before')
    },
  )

  await scenario(
    'when the link of the moderators is cut, and frozen',
    () => hurt(first, { cutMs: 1_500, frozenMs: 1_500 }),
    { moderators: [0, 0, 0, 0, 0, 0], excusesUnconfirmed: true },
  )

  await scenario(
    'when the link of some readers is cut, and frozen',
    () => hurt(second, { cutMs: 700, frozenMs: 1_200 }),
    { moderators: [0, 0] },
  )

  await scenario(
    'when Postgres is late for some readers, and then away',
    async () => {
      second.database.slow(40)
      await sleep(1_500)
      second.database.heal()
      await sleep(200)
      second.database.cut()
      await sleep(700)
      second.database.heal()
      await sleep(300)
    },
    { writers: [0, 0], moderators: [0, 0], readBack: 'never' },
  )

  await scenario(
    'when a node is paused, and read as soon as it goes on',
    async (look) => {
      await sleep(300)
      await pause(second, LONG_PAUSE_MS, () => look(1))
      await sleep(500)
    },
    { writers: [0, 0], moderators: [0, 0], readBack: 'never' },
  )
})

const hurt = async ({ link }: Node, { cutMs, frozenMs }: { cutMs: number; frozenMs: number }) => {
  await sleep(300)
  link.cut()
  await sleep(cutMs)
  link.heal()
  await sleep(300)
  link.freeze()
  await sleep(frozenMs)
  link.heal()
  await sleep(1_100)
}

/** While it is paused, its requests wait in the sockets. */
const pause = async ({ process }: ProcessNode, ms: number, meanwhile: () => void) => {
  process.child.kill('SIGSTOP')
  for (const begun = performance.now(); performance.now() - begun < ms; await sleep(100))
    meanwhile()
  process.child.kill('SIGCONT')
}
