import type { Agent } from 'node:http'
import { median, ratioOf, type Spread } from './figures.ts'
import { createConnection, sendWell } from './servers/http.ts'

/** One side of the comparison. `next` returns the address of the next request. */
export type Asked = { readonly next: () => string }

type Options = { readonly rounds: number; readonly requests: number }

/**
 * Sends requests to both sides in turn, each on one connection.
 * @returns the ratio of the medians, round by round, and the medians in milliseconds
 */
export const compareLatency = async (
  measured: Asked,
  against: Asked,
  { rounds, requests }: Options,
): Promise<{ ratio: Spread; medians: [number, number] }> => {
  const sides = [measured, against].map(({ next }) => ({ next, agent: createConnection() }))
  const askBoth = async (times: number) => {
    const all: [number[], number[]] = [[], []]
    for (let i = 0; i < times; i++)
      for (const [n, side] of sides.entries()) all[n]!.push(await timeOf(side.next(), side.agent))
    return [median(all[0]), median(all[1])] as const
  }
  try {
    await askBoth(requests)
    const pairs: (readonly [number, number])[] = []
    for (let round = 0; round < rounds; round++) pairs.push(await askBoth(requests))
    const middle = (side: 0 | 1) => median(pairs.map((pair) => pair[side]))
    return { ratio: ratioOf(pairs), medians: [middle(0), middle(1)] }
  } finally {
    for (const { agent } of sides) agent.destroy()
  }
}

const timeOf = async (url: string, agent: Agent): Promise<number> => {
  const begun = performance.now()
  await sendWell(url, { agent })
  return performance.now() - begun
}
