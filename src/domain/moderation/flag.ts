/** Reasons that a reader gives for a flag. */
export const FLAG_REASONS = [
  'spam',
  'offensive',
  'abusive',
  'off_topic',
  'illegal',
  'other',
] as const
export type FlagReason = (typeof FLAG_REASONS)[number]
