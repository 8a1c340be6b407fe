import type { Draft, Facts } from './facts.ts'
import { combine, type Opinion, riskOf, type Verdict } from './opinion.ts'

/** What the rules go by. */
type Known = Pick<Facts, 'siteModeration' | 'threadModeration'>

type Rule = {
  readonly name: string
  readonly judge: (draft: Draft, facts: Known) => Omit<Opinion, 'rule'> | undefined
}

const RULES: readonly Rule[] = [
  {
    name: 'moderation_mode',
    judge: (_draft, { siteModeration, threadModeration }) => {
      const mode = threadModeration ?? siteModeration
      const where = threadModeration ? 'thread' : 'site'
      return mode === 'pre'
        ? {
            says: 'pending',
            counts: true,
            evidence: `the ${where} is moderated before publication`,
          }
        : undefined
    },
  },
]

export type Judgement = {
  readonly verdict: Verdict
  readonly risk: number
  readonly trace: readonly Opinion[]
}

/** Asks every rule. Same input, same judgement; the trace alone says why. */
export const screen = (draft: Draft, facts: Known): Judgement => {
  const trace = RULES.flatMap(({ name, judge }) => {
    const opinion = judge(draft, facts)
    return opinion ? [{ rule: name, ...opinion }] : []
  })
  return { verdict: combine(trace), risk: riskOf(trace), trace }
}
