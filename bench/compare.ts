import type { Bench } from './bench.ts'
import { median, ratioOf, type Spread, say } from './figures.ts'
import { assertStatus, type Job, type Trial } from './load/trial.ts'
import { processorSeconds, type Running } from './servers/processes.ts'

/** One side of a comparison. */
export type Side = {
  readonly name: string
  /** Loads for so many seconds. @returns how many per second */
  readonly run: (seconds: number) => Promise<number>
  /** Has nothing to compile: it needs no run before the rounds. */
  readonly isWarm?: true
  /** After all rounds: what the server's process used, where there is one. */
  readonly used?: () => Used
}

/** Of a processor: microseconds for each answer, and the share of one that was busy. */
export type Used = { readonly cost: number; readonly share: number }

/**
 * Runs the sides in turn, the order changing with each round, after a run of each that does not
 * count. @returns the rates of each side, by round
 */
export const alternate = async (
  { rounds, seconds, warmSeconds }: Bench,
  sides: readonly Side[],
): Promise<number[][]> => {
  for (const side of sides) if (!side.isWarm) await side.run(warmSeconds)
  const rates: number[][] = sides.map(() => [])
  for (let round = 0; round < rounds; round++) {
    const turns = [...sides.entries()]
    if (round % 2 === 1) turns.reverse()
    for (const [n, side] of turns) rates[n]!.push(await side.run(seconds))
  }
  return rates
}

/** The ratio of two sides, round by round. */
export const ratioOfSides = (
  rates: readonly number[][],
  measured: number,
  against: number,
): Spread => ratioOf(rates[measured]!.map((rate, round) => [rate, rates[against]![round]!]))

export const sayRates = (sides: readonly Side[], rates: readonly number[][]): string =>
  sides
    .map(({ name, used }, n) => `${name} ${say(median(rates[n]!))}/s${used ? sayUsed(used()) : ''}`)
    .join(', ')

const sayUsed = ({ cost, share }: Used): string =>
  ` (${say(cost)} µs of processor each, ${Math.round(share * 100)} % of one)`

type LoadSide = {
  readonly name: string
  readonly server: Running
  readonly status: number
  /** What is asked in the next trial. */
  readonly job: () => Omit<Job, 'url' | 'seconds'>
  readonly check?: (trial: Trial) => void
}

const MICROSECONDS = 1e6

/** Requests to a server. Says how much of a processor it used, and for each answer. */
export const loadSide = ({ load }: Bench, { name, server, status, job, check }: LoadSide): Side => {
  const shares: number[] = []
  const costs: number[] = []
  const run = async (seconds: number): Promise<number> => {
    const before = [processorSeconds(server.pid), performance.now()] as const
    const trial = await load.run({ url: server.url, seconds, ...job() })
    const used = processorSeconds(server.pid) - before[0]
    shares.push((used * 1000) / (performance.now() - before[1]))
    costs.push((used * MICROSECONDS) / trial.answers)
    assertStatus(trial, status)
    check?.(trial)
    return trial.rate
  }
  // The first run is the one that does not count.
  const used = () => ({ cost: median(costs.slice(1)), share: median(shares.slice(1)) })
  return { name, run, used }
}

/** Like autocannon's own command line. */
export const sayAutocannon = (connections: number, seconds: number, rest: string): string =>
  `autocannon -c ${connections} -d ${seconds} ${rest}`
