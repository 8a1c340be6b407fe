import { readAuthorId } from '../../domain/public-id.ts'
import { STATUSES, type Status } from '../../domain/status.ts'
import { readTime } from './fields.ts'

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
 * The comments that moderators mean, as the queue and decisions on many of them say it.
 * @param at where the filter stands in the request
 */
export const readCommentFilter = (filter: FilterOnWire, at = '') => {
  const { status, flagged, rule, article_id: articleId, author_id: author, q, until } = filter
  const wanted = status ?? (flagged ? ['pending', 'approved'] : ['pending'])
  return {
    statuses: STATUSES.filter((known) => wanted.includes(known)),
    isFlagged: flagged,
    rule,
    articleId,
    // An id that no author has finds nothing.
    authorId: author === undefined ? undefined : (readAuthorId(author) ?? 0),
    q,
    until: until === undefined ? undefined : readTime(`${at}/until`, until),
  }
}
