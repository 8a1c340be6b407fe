/** How comments of one parent, or of a flat thread, are ordered. Ties go by id, the same way round. */
export const SORTS = ['newest', 'oldest', 'top', 'best', 'hot', 'controversial', 'active'] as const
export type Sort = (typeof SORTS)[number]

/** How the articles of a site are ordered: by newest comment, by number of them, by age. */
export const ARTICLE_SORTS = ['active', 'most', 'newest'] as const
export type ArticleSort = (typeof ARTICLE_SORTS)[number]

/**
 * Where a page ended: the sort's key of the last item (a time in milliseconds since 1970, a number
 * otherwise) and its id. The next page holds what comes after.
 */
export type Position = readonly [key: number, id: number]
