import type { Moderation } from './site.ts'

/** What is to be judged. */
export type Draft = { readonly body: string; readonly authorName: string }

/** What was known when it was judged. Gathered first, so that judging is pure. */
export type Facts = {
  readonly siteModeration: Moderation
  readonly threadModeration: Moderation | null
}

export type Verdict = 'approved' | 'pending'

/** What one rule said: `evidence` is for the moderator who asks why. */
export type Opinion = { readonly rule: string; readonly says: Verdict; readonly evidence: string }

type Rule = {
  readonly name: string
  readonly judge: (draft: Draft, facts: Facts) => Omit<Opinion, 'rule'> | undefined
}

const RULES: readonly Rule[] = [
  {
    name: 'moderation_mode',
    judge: (_draft, { siteModeration, threadModeration }) => {
      const mode = threadModeration ?? siteModeration
      const where = threadModeration ? 'thread' : 'site'
      return mode === 'pre'
        ? { says: 'pending', evidence: `the ${where} is moderated before publication` }
        : undefined
    },
  },
]

/**
 * Asks every rule, and holds the draft if any of them would. Same input, same verdict; the trace
 * alone says why.
 */
export const screen = (draft: Draft, facts: Facts): { verdict: Verdict; trace: Opinion[] } => {
  const trace = RULES.flatMap(({ name, judge }) => {
    const opinion = judge(draft, facts)
    return opinion ? [{ rule: name, ...opinion }] : []
  })
  return { verdict: trace.some(({ says }) => says === 'pending') ? 'pending' : 'approved', trace }
}
