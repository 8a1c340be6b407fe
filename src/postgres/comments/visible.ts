import { type RawBuilder, sql } from 'kysely'

/**
 * The only SQL definition of what readers see, as `isVisible` of `domain/comment/status.ts` is the only one in
 * TypeScript. The predicates of the indexes in `migrations/` repeat it word for word, so that Postgres can use
 * them.
 * @param status the status column with its alias: `c.status`
 */
export const isVisible = (status: string): RawBuilder<boolean> =>
  sql<boolean>`${sql.ref(status)} = 'approved'`

/** The opposite: only moderators see the comment, and in part its author. */
export const isInvisible = (status: string): RawBuilder<boolean> =>
  sql<boolean>`${sql.ref(status)} <> 'approved'`

/** Root comments and replies: each is one range of the index `comments_recent`. */
export const ROOTS = sql<boolean>`least(c.parent_id, 1) = 0`
export const REPLIES = sql<boolean>`least(c.parent_id, 1) = 1`

/** A comment that every reader sees, or that its author sees as if published. */
export const isVisibleOrShadowed = (alias: string): RawBuilder<boolean> =>
  sql<boolean>`(${isVisible(`${alias}.status`)}
    or ${sql.ref(`${alias}.shadowed`)} and ${sql.ref(`${alias}.status`)} = 'rejected')`

/**
 * Whether a comment `c` of an author `a` can only stay deleted: its author withdrew it or is erased, or it is
 * redacted. The only definition of comments that no moderator can restore.
 */
export const staysDeleted = sql<boolean>`
  (c.withdrawn_at is not null or a.erased_at is not null or c.redacted_at is not null)`
