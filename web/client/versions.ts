type PathParams = Readonly<Record<string, string>> | undefined

/** The reads that take `at_least`. */
const VERSIONED = /^\/(articles\/\{article_id\}(\/comments)?|comments\/\{id\}(\/replies)?)$/
const MAX_COMMENTS = 10_000

/** The versions of threads that the client's own writes made: reads ask for at least these. */
export const createVersions = () => {
  const versions = new Map<string, number>()
  /** The articles of the comments that the client read: some writes name only the comment. */
  const articles = new Map<string, string>()

  const threadOf = (params: PathParams): string => {
    const articleId = params?.article_id ?? articles.get(params?.id ?? '')
    return articleId === undefined ? `comment ${params?.id}` : `article ${articleId}`
  }

  const learn = (data: any): void => {
    for (const item of data?.items ?? []) learn(item)
    if (data?.replies) learn(data.replies)
    if (typeof data?.id === 'string' && data.article_id) articles.set(data.id, data.article_id)
    if (articles.size > MAX_COMMENTS) articles.delete(articles.keys().next().value!)
  }

  return {
    learn,
    keep: (params: PathParams, version: string | null): void => {
      const thread = threadOf(params)
      if (version) versions.set(thread, Math.max(Number(version), versions.get(thread) ?? 0))
    },
    find: (path: string, params: PathParams): number | undefined =>
      VERSIONED.test(path) ? versions.get(threadOf(params)) : undefined,
    forget: (params: PathParams) => versions.delete(threadOf(params)),
  }
}
