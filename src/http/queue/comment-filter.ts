import { STATUSES, type Status } from '../../domain/comment/status.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
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
 * Reads the filter of the queue, of claims and of decisions on many comments.
 * @param at the filter's pointer in the request
 */
export const readCommentFilter = (ids: PublicIds, filter: FilterOnWire, at = '') => {
  const { status, flagged, rule, article_id: articleId, author_id: author, q, until } = filter
  const wanted = status ?? (flagged ? ['pending', 'approved'] : ['pending'])
  return {
    statuses: STATUSES.filter((known) => wanted.includes(known)),
    isFlagged: flagged,
    rule,
    articleId,
    // A malformed id matches no author.
    authorId: author === undefined ? undefined : (ids.read('author', author) ?? 0),
    q,
    until: until === undefined ? undefined : readTime(`${at}/until`, until),
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
