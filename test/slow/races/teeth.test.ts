import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { IDS } from '../../ids.ts'
import { hideBeforeOlderDump } from '../../races/older-dump.ts'
import { type Node, openRace, type Race, untilRedisIs } from '../../races/race.ts'
import { tellStory } from '../../races/story.ts'
import type { Weakness } from '../../races/weakness.ts'
import { skipOwn } from '../../redis/own-server.ts'
import { until } from '../../start.ts'

/** A node that has just met Redis does not trust it yet. */
const TRUST_MS = 1_100
/** A machine that is busy with others may take longer than the second that a node remembers. */
const PATIENCE_MS = 40_000

type Nodes = readonly [first: Node, second: Node]
type Script = (race: Race, nodes: Nodes, article: string) => Promise<string[]>

const openNodes = async (race: Race, weakness: Weakness): Promise<Nodes> => {
  const nodes = await Promise.all([race.openService({ weakness }), race.openService({ weakness })])
  await sleep(TRUST_MS)
  return nodes
}

/** @returns what a script saw of what was hidden, at its first attempt that saw anything */
const findFaults = async (race: Race, weakness: Weakness, script: Script): Promise<string[]> => {
  const nodes = await openNodes(race, weakness)
  let attempt = 0
  return until(
    'for a fault to be found',
    async () => {
      const faults = await script(race, nodes, `${script.name}-${++attempt}`)
      return faults.length > 0 ? faults : undefined
    },
    PATIENCE_MS,
  )
}

/** The node of the moderators loses Redis; another one has just read what they hide. */
const hideUnannounced: Script = async (race, [first, second], article) => {
  const story = await tellStory(race, first, article)
  await story.warm(second)
  first.link.cut()
  await untilRedisIs('away', race.send, first)
  await story.warm(second)
  await story.reject(first)
  const faults = await story.lookConfirmed(second)
  first.link.heal()
  await untilRedisIs('ok', race.send, first)
  return faults
}

const hideBeforeOlder: Script = async (race, nodes, article) =>
  (await hideBeforeOlderDump(race, nodes, article)).faults

/**
 * The second node makes tokens for a thread that Redis has forgotten, until it is at the one that
 * the first will announce next.
 */
const hideUnderSameToken: Script = async (race, [first, second], article) => {
  const { redis, send } = race
  const story = await tellStory(race, first, article)
  const key = `{1:${IDS.readComment(story.id)!.threadId}}k`
  const token = async () => Number(await redis.get(key))
  const before = await token()
  await story.postAnother()
  const next = 2 * (await token()) - before
  await story.warm(second)
  while ((await token()) !== next) {
    if ((await token()) > next) return []
    await redis.del(key)
    let looks = 0
    await until('for a token', async () => {
      // A second reading would make a second token, unless the first was lost.
      if (looks++ % 20 === 0) await send(`${second.site}/articles/${article}`)
      return (await token()) > 0
    })
  }
  await story.warm(second)
  await story.reject(first)
  return story.look(second)
}

t.test('the tests of hidden comments', { skip: skipOwn }, async (t) => {
  const race = await openRace(t)

  await t.test('the tests of hidden comments pass on the unchanged service', async (t) => {
    const nodes = await openNodes(race, {})
    for (const script of [hideUnannounced, hideBeforeOlder])
      t.same(await script(race, nodes, `sound-${script.name}`), [])
  })

  await t.test(
    'the tests of hidden comments notice a hide that does not wait for other nodes',
    async (t) => {
      const faults = await findFaults(race, { hideWaitMs: 0 }, hideUnannounced)
      t.match(faults.join(), /shows mark|has version/)
    },
  )

  await t.test(
    'the tests of hidden comments notice a node that trusts a returned Redis',
    async (t) => {
      const faults = await findFaults(race, { distrustMs: 0 }, hideBeforeOlder)
      t.match(faults.join(), /shows mark|has version/)
    },
  )

  await t.test('the tests of hidden comments notice cache tokens that come twice', async (t) => {
    const faults = await findFaults(race, { token: 'counter' }, hideUnderSameToken)
    t.match(faults.join(), /shows mark|has version/)
  })
})
