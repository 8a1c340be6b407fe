import type { Bench } from './bench.ts'
import { median, ratioOf, type Spread, say } from './figures.ts'
import { assertStatus, type Job, type Trial } from './load/trial.ts'
import { processorSeconds, type Running } from './servers/processes.ts'

/** One side of a comparison. */
export type Side = {
  readonly name: string
  /** Loads for so many seconds. @returns how many per second */
  readonly run: (seconds: number) => Promise<number>
  /** True if the side has nothing to compile and needs no warm-up. */
  readonly isWarm?: true
  /** Returns the processor time of the server's process after all rounds, if it has one. */
  readonly used?: () => Used
}

/** Processor time: microseconds per response, and the busy share of one processor. */
export type Used = { readonly cost: number; readonly share: number }

/**
 * Runs the sides in turn after a warm-up of each; the order changes with each round.
 * @returns the rates of each side, by round
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

export type LoadSide = {
  readonly name: string
  readonly server: Running
  readonly status: number
  /** The requests of the next trial. */
  readonly job: () => Omit<Job, 'url' | 'seconds'>
  readonly check?: ((trial: Trial) => void) | undefined
}

const MICROSECONDS = 1e6

/** Loads a server and reports its processor time in all and per response. */
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
  // The first run is the warm-up.
  const used = () => ({ cost: median(costs.slice(1)), share: median(shares.slice(1)) })
  return { name, run, used }
}

/** Like autocannon's own command line. */
export const sayAutocannon = (connections: number, seconds: number, rest: string): string =>
  `autocannon -c ${connections} -d ${seconds} ${rest}`
