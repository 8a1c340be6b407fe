/** The outcomes of a policy, mildest first. */
export const VERDICTS = ['approved', 'pending', 'spam', 'rejected'] as const
export type Verdict = (typeof VERDICTS)[number]

/** A place in a text that a rule matched. */
export type TextMatch = {
  readonly text: string
  readonly field: 'body' | 'name' | 'url' | 'title' | 'email'
  /** In UTF-16 code units of the field, or of the rendered text. */
  readonly start: number
  readonly end: number
  /** Present if only the rendered text has these characters, and not the source. */
  readonly reading?: 'rendered'
}

/** The result of one rule that found something. Rules without a finding are not in a trace. */
export type Finding = {
  readonly rule: string
  readonly says: Verdict
  /** False if the rule is only recorded. Missing in old traces, where every rule was enforced. */
  readonly counts?: boolean
  /** How strongly the rule speaks against the comment, 0 to 100. */
  readonly score?: number
  /** The reason, as a sentence for moderators. */
  readonly evidence: string
  readonly found?: readonly TextMatch[]
}

/**
 * The only place where findings become a verdict: the strictest enforced finding. An enforced `approved`
 * means trust, and outweighs every finding but a ban.
 */
export const combine = (trace: readonly Finding[]): Verdict => {
  const enforced = trace.filter(({ counts = true }) => counts)
  const isTrusted = enforced.some(({ says }) => says === 'approved')
  const decisive = isTrusted ? enforced.filter(({ rule }) => rule === 'ban') : enforced
  const strictest = Math.max(0, ...decisive.map(({ says }) => VERDICTS.indexOf(says)))
  return VERDICTS[strictest]!
}

/** The risk from 0 to 100. It combines the scores of all findings, recorded ones included. */
export const riskOf = (trace: readonly Finding[]): number => {
  const innocence = trace.reduce((left, { score = 0 }) => left * (1 - score / 100), 1)
  return Math.round((1 - innocence) * 100)
}
