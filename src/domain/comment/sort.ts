/** Orders of sibling comments, or of a flat thread. Equal keys are ordered by id in the same direction. */
export const SORTS = ['newest', 'oldest', 'top', 'best', 'hot', 'controversial', 'active'] as const
export type Sort = (typeof SORTS)[number]

/** Votes and replies change the order of these sorts while a reader pages through them. */
export const isRanked = (sort: Sort): boolean => sort !== 'newest' && sort !== 'oldest'

/** Orders of a site's articles: by newest comment, by number of comments, by age of the thread. */
export const ARTICLE_SORTS = ['active', 'most', 'newest'] as const
export type ArticleSort = (typeof ARTICLE_SORTS)[number]

/**
 * The last item of a page: its sort key and its id. The next page starts after it.
 * A time is a key in milliseconds since 1970.
 */
export type Position = readonly [key: number, id: number]
