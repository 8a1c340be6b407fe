import type { Database } from './bench.ts'
import { sendWell } from './servers/http.ts'

export const ARTICLES = '/v1/sites/default/articles'
export const RECENT = '/v1/sites/default/comments?limit=20'

/** All comments of a thread of 100 on one page. */
export const WHOLE = 'limit=100&depth=10&replies=50'

export const threadPath = (article: number, query: string): string =>
  `${ARTICLES}/${article}/comments?${query}`

/** The least depth that shows the whole of a small thread: see `seed/shape.ts`. */
const LEAST_DEPTH = 9
const MOST_DEPTH = 10
const MOST_REPLIES = 50
/** A comment of a small thread has fewer replies than this. */
const LEAST_REPLIES = 30

/**
 * Pages of whole threads, each once: every thread with one set of parameters, then every thread with other
 * parameters that return the same comments.
 */
export const wholePages = function* (articles: readonly number[]): Generator<string> {
  for (let replies = MOST_REPLIES; replies >= LEAST_REPLIES; replies--)
    for (let depth = MOST_DEPTH; depth >= LEAST_DEPTH; depth--)
      for (const article of articles)
        yield threadPath(article, `limit=100&depth=${depth}&replies=${replies}`)
}

export const articlesOf = ({ threads }: Database): number[] =>
  Array.from({ length: threads }, (_, n) => n + 1)

/** Lists the first `count` pages of recent comments, newest first, or all pages if there are fewer. */
export const walkRecent = async (url: string, pages: number): Promise<string[]> => {
  const paths = [RECENT]
  while (paths.length < pages) {
    const { body } = await sendWell(`${url}${paths.at(-1)}`)
    const { next_cursor: cursor } = JSON.parse(body.toString())
    if (cursor === null) break
    paths.push(`${RECENT}&cursor=${cursor}`)
  }
  return paths
}

/** How many comments a page of a thread shows, at all levels. */
export const countComments = (page: unknown): number => {
  const { items } = page as { items: { replies: unknown }[] }
  return items.reduce((sum, { replies }) => sum + 1 + countComments(replies), 0)
}
