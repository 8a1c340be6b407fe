import type { Status } from '../comment/status.ts'
import { VERDICTS, type Verdict } from './finding.ts'

type Counts = Record<Verdict, number>

/** Counts of verdicts, by what moderators decided. */
export type Tally = {
  /** All comments. */
  readonly all: Counts
  /** Comments that a moderator approved, and comments that a moderator turned down. */
  readonly approved: Counts
  readonly turnedDown: Counts
}

/** A verdict that holds a comment is right if a moderator turned the comment down. */
export type RuleQuality = Tally & {
  /** The share of held and decided comments that were turned down; null if there are none. */
  readonly precision: number | null
  /** The share of comments turned down that are held; null if there are none. */
  readonly recall: number | null
}

const NONE = Object.fromEntries(VERDICTS.map((verdict) => [verdict, 0])) as Counts

export const createTally = (): Tally => ({
  all: { ...NONE },
  approved: { ...NONE },
  turnedDown: { ...NONE },
})

/** @param decided the status that a moderator chose; `pending` and null do not count */
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
