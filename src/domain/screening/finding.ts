/** What a rule can ask for, and what is decided, mildest first. */
export const VERDICTS = ['approved', 'pending', 'spam', 'rejected'] as const
export type Verdict = (typeof VERDICTS)[number]

/** Something that a rule has found, and where. */
export type TextMatch = {
  readonly text: string
  readonly field: 'body' | 'name' | 'url' | 'email'
  /** UTF-16 code units of the field. */
  readonly start: number
  readonly end: number
}

/** What one rule said, for the moderator who asks why. A rule that has nothing to say is not in a trace. */
export type Finding = {
  readonly rule: string
  readonly says: Verdict
  /** False: it is only recorded. Missing: it was given before rules could be that. */
  readonly counts?: boolean
  /** How much it speaks against the comment, 0 to 100. */
  readonly score?: number
  /** A sentence. */
  readonly evidence: string
  readonly found?: readonly TextMatch[]
}

/**
 * The one place where opinions become a verdict: the strictest of those that count. An `approved` that
 * counts is trust, and stands against all but a ban.
 */
export const combine = (trace: readonly Finding[]): Verdict => {
  const counting = trace.filter(({ counts = true }) => counts)
  const isTrusted = counting.some(({ says }) => says === 'approved')
  const heard = isTrusted ? counting.filter(({ rule }) => rule === 'ban') : counting
  const strictest = Math.max(0, ...heard.map(({ says }) => VERDICTS.indexOf(says)))
  return VERDICTS[strictest]!
}

/** How much all opinions together speak against the comment, those included that are only recorded: 0 to 100. */
export const riskOf = (trace: readonly Finding[]): number => {
  const innocence = trace.reduce((left, { score = 0 }) => left * (1 - score / 100), 1)
  return Math.round((1 - innocence) * 100)
}
