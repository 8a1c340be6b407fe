import type { RuleFunction } from './rule.ts'

/** The thread's own mode overrides the site's. */
export const moderationMode: RuleFunction = (_draft, { siteModeration, threadModeration }) => {
  const where = threadModeration ? 'thread' : 'site'
  if ((threadModeration ?? siteModeration) !== 'pre') return undefined
  return { says: 'pending', evidence: `the ${where} is moderated before publication` }
}

/** Of several bans that do not block, a shadow ban decides. */
export const ban: RuleFunction = (_draft, { bans }) => {
  const found = bans.find(({ effect }) => effect === 'shadow') ?? bans[0]
  if (!found) return undefined
  return found.effect === 'shadow'
    ? {
        says: 'rejected',
        score: 100,
        evidence: 'a ban shows it to its author alone',
      }
    : {
        says: 'pending',
        score: 50,
        evidence: 'a ban holds what its author writes',
      }
}
