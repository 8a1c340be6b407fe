import type { Status } from '../comment/status.ts'
import { VERDICTS, type Verdict } from './finding.ts'

type Counts = Record<Verdict, number>

/** How verdicts and decisions meet. */
export type Tally = {
  /** Of all comments. */
  readonly all: Counts
  /** Of those that a moderator approved, and of those that one turned down. */
  readonly approved: Counts
  readonly turnedDown: Counts
}

/** A verdict that holds a comment is right when a moderator turned it down. Null: there is none. */
export type RuleQuality = Tally & {
  /** Of what is held and decided on, so much was turned down. */
  readonly precision: number | null
  /** Of what was turned down, so much is held. */
  readonly recall: number | null
}

const NONE = Object.fromEntries(VERDICTS.map((verdict) => [verdict, 0])) as Counts

export const createTally = (): Tally => ({
  all: { ...NONE },
  approved: { ...NONE },
  turnedDown: { ...NONE },
})

/** @param decided what a moderator decided; `pending` and null are no decision */
export const addToTally = (tally: Tally, verdict: Verdict, decided: Status | null): void => {
  tally.all[verdict] += 1
  if (decided === 'approved') tally.approved[verdict] += 1
  else if (decided !== null && decided !== 'pending') tally.turnedDown[verdict] += 1
}

export const ruleQualityOf = (tally: Tally): RuleQuality => {
  const right = heldOf(tally.turnedDown)
  return {
    ...tally,
    precision: share(right, right + heldOf(tally.approved)),
    recall: share(right, right + tally.turnedDown.approved),
  }
}

const heldOf = ({ pending, spam, rejected }: Counts): number => pending + spam + rejected

const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole)
