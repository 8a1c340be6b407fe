import { type Node, type Race, untilRedisIs } from './race.ts'
import { tellStory } from './story.ts'

/**
 * Redis saves its data while a comment is visible and cached by both nodes, and restores that data after
 * the comment is hidden. No read happens in between, and everything takes less than the second for which a
 * node keeps its copy.
 */
export const hideBeforeOlderDump = async (
  race: Race,
  [first, second]: readonly [Node, Node],
  article: string,
) => {
  const { redis, server, send } = race
  const story = await tellStory(race, first, article)
  for (const node of [first, second]) await story.warm(node)
  const before = await tokensOf(race)
  await redis.save()
  await story.warm(second)
  await story.reject(first)
  await server.kill()
  for (const node of [first, second]) await untilRedisIs('away', send, node)
  await server.start()
  for (const node of [first, second]) await untilRedisIs('ok', send, node)
  const isOlder = (await tokensOf(race)) === before
  const faults = [...(await story.look(second)), ...(await story.look(first))]
  return { faults, isOlder }
}

/** All of them, in one string. */
const tokensOf = async ({ redis }: Race): Promise<string> => {
  const names = (await redis.keys('*}k')).sort()
  return JSON.stringify([names, await redis.mget(names)])
}
