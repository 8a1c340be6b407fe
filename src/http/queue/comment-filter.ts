import { STATUSES, type Status } from '../../domain/comment/status.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import { CHECK_RULE_PREFIX } from '../../domain/screening/check-facts.ts'
import { RULE_NAMES } from '../../domain/screening/compile-policy.ts'
import type { Site } from '../../domain/site/site.ts'
import { readTime } from '../wire/fields.ts'

type FilterOnWire = {
  readonly status?: readonly Status[]
  readonly flagged?: boolean
  readonly rule?: string
  readonly article_id?: string
  readonly author_id?: string
  readonly q?: string
  readonly until?: string
}

/**
 * Reads the filter of the queue, of claims and of decisions on many comments. Refuses a rule that the
 * site cannot have, because an empty list would look like a finished queue.
 * @param at the filter's pointer in the request; empty for query parameters
 */
export const readCommentFilter = (
  { site, ids }: { readonly site: Site; readonly ids: PublicIds },
  filter: FilterOnWire,
  at = '',
) => {
  const { status, flagged, rule, article_id: articleId, author_id: author, q, until } = filter
  const nameOf = (field: string) => (at === '' ? field : `${at}/${field}`)
  const isRule = (name: string) =>
    RULE_NAMES.includes(name) ||
    site.checks.some((check) => CHECK_RULE_PREFIX + check.name === name)
  if (rule !== undefined && !isRule(rule))
    throw new Refusal('invalid_request', {
      [nameOf('rule')]: 'must be a rule, or a check of the site as in checks.akismet',
    })
  const wanted = status ?? (flagged ? ['pending', 'approved'] : ['pending'])
  return {
    statuses: STATUSES.filter((known) => wanted.includes(known)),
    isFlagged: flagged,
    rule,
    articleId,
    // A malformed id matches no author.
    authorId: author === undefined ? undefined : (ids.read('author', author) ?? 0),
    q,
    until: until === undefined ? undefined : readTime(nameOf('until'), until),
  }
}

/** Approved comments cannot be sorted by risk: the index has only comments in other statuses or with flags. */
export const assertSorted = (
  sort: string,
  { statuses, isFlagged }: ReturnType<typeof readCommentFilter>,
  pointer = 'sort',
): void => {
  if (sort === 'risk' && statuses.includes('approved') && isFlagged !== true)
    throw new Refusal('invalid_request', {
      [pointer]: 'orders approved comments only when they are flagged',
    })
}
