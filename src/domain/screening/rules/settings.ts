import { banId } from '../../public-id.ts'
import type { RuleFunction } from './rule.ts'

/** The site or the thread is moderated before publication. */
export const moderationMode: RuleFunction = (_draft, { siteModeration, threadModeration }) => {
  const where = threadModeration ? 'thread' : 'site'
  if ((threadModeration ?? siteModeration) !== 'pre') return undefined
  return { says: 'pending', evidence: `the ${where} is moderated before publication` }
}

/** A ban that does not refuse the comment. Of several, the one that leaves the least. */
export const ban: RuleFunction = (_draft, { bans }) => {
  const found = bans.find(({ effect }) => effect === 'shadow') ?? bans[0]
  if (!found) return undefined
  return found.effect === 'shadow'
    ? {
        says: 'rejected',
        score: 100,
        evidence: `ban ${banId(found.id)} shows it to its author alone`,
      }
    : {
        says: 'pending',
        score: 50,
        evidence: `ban ${banId(found.id)} holds what its author writes`,
      }
}
