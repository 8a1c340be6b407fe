import { createHash } from 'node:crypto'
import { type RawBuilder, sql } from 'kysely'

/**
 * An index entry has at most 2,704 bytes. The row of a longer article id has a hash in `article_id`, which
 * statements compare, and the id in `long_article_id`: see `migrations/0031_long_article_ids.sql`.
 */
const MAX_KEY_LENGTH = 512
/** An id that begins like a hash is stored like a long one. Otherwise it could take the row of the long one. */
const HASH_PREFIX = '\u007f'

const isLong = (articleId: string): boolean =>
  articleId.startsWith(HASH_PREFIX) ||
  (articleId.length > MAX_KEY_LENGTH && Array.from(articleId).length > MAX_KEY_LENGTH)

const isLongExpression = (id: RawBuilder<unknown>): RawBuilder<boolean> =>
  sql`(char_length(${id}) > ${sql.lit(MAX_KEY_LENGTH)} or starts_with(${id}, ${sql.lit(HASH_PREFIX)}))`

/** The value of `article_id` in the row of an article. */
export const articleKey = (articleId: string): string =>
  isLong(articleId) ? HASH_PREFIX + createHash('sha256').update(articleId).digest('hex') : articleId

/** The values of both columns in the row of an article. */
export const articleColumnsOf = (articleId: string) => ({
  articleId: articleKey(articleId),
  longArticleId: isLong(articleId) ? articleId : null,
})

/** The id of an article, from a row of `threads` that has this name in the statement. */
export const articleIdOf = (row: string): RawBuilder<string> =>
  sql`coalesce(${sql.ref(`${row}.long_article_id`)}, ${sql.ref(`${row}.article_id`)})`

/** As `articleKey`, for an expression. */
export const keyOf = (id: RawBuilder<unknown>): RawBuilder<string> => sql`
  case when ${isLongExpression(id)}
    then ${sql.lit(HASH_PREFIX)} || encode(sha256(convert_to(${id}, 'UTF8')), 'hex') else ${id} end`

/** As `articleKey`, for each id of an array expression. */
export const keysOf = (ids: RawBuilder<unknown>): RawBuilder<string[]> =>
  sql`array(select ${keyOf(sql`asked`)} from unnest(${ids}) as asked)`

/** The value of `long_article_id` for an expression. */
export const longIdOf = (id: RawBuilder<unknown>): RawBuilder<string | null> =>
  sql`case when ${isLongExpression(id)} then ${id} end`
