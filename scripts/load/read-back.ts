import type { Client } from './client.ts'

export type CommentOnWire = {
  readonly id: string
  readonly parent_id: string | null
  readonly depth: number
  readonly body: string | null
  readonly author: { readonly name: string; readonly url: string | null } | null
  readonly reply_count: number
  readonly replies?: Replies
}
type Replies = {
  readonly items: readonly CommentOnWire[]
  readonly next_cursor: string | null
  readonly remaining: number
}

/** Pages are small, so that reading back uses every kind of continuation. */
const SMALL = 'limit=7&depth=2&replies=2'
const MAX_LIMIT = 100

export const articlePath = (articleId: string): string =>
  `/articles/${encodeURIComponent(articleId)}`

/** Receives faults of the pages, such as two different cursors. */
export type Report = (fault: string) => void

/** Reads every visible comment of a thread, oldest first, with the largest pages. */
export const readThread = (client: Client, articleId: string): Promise<CommentOnWire[]> =>
  followLinks(
    client,
    `${articlePath(articleId)}/comments?view=flat&sort=oldest&limit=${MAX_LIMIT}`,
    (fault) => {
      throw new Error(fault)
    },
  )

/** Reads the flat list, newest first, in small pages. */
export const walkFlat = (
  client: Client,
  articleId: string,
  report: Report,
): Promise<CommentOnWire[]> =>
  followLinks(client, `${articlePath(articleId)}/comments?view=flat&sort=newest&limit=7`, report)

/** Reads the tree, oldest first at every level, in small pages: each comment after its parent. */
export const walkTree = async (
  client: Client,
  articleId: string,
  report: Report,
): Promise<CommentOnWire[]> => {
  const path = `${articlePath(articleId)}/comments?view=tree&sort=oldest&${SMALL}`
  const walk = async (branches: readonly CommentOnWire[]): Promise<CommentOnWire[]> => {
    const found: CommentOnWire[] = []
    for (const branch of branches)
      found.push(branch, ...(await walk(await readReplies(client, branch, report))))
    return found
  }
  return walk(await followLinks(client, path, report))
}

const readReplies = async (
  client: Client,
  { id, reply_count: count, replies }: CommentOnWire,
  report: Report,
): Promise<readonly CommentOnWire[]> => {
  const { items = [], next_cursor: cursor = null, remaining = -1 } = replies ?? {}
  if (items.length + remaining !== count || remaining > 0 !== (cursor !== null))
    report(`${id} has ${count} replies, shows ${items.length}, and speaks of ${remaining} more`)
  if (cursor === null) return items
  const path = `/comments/${id}/replies?${SMALL}&cursor=${encodeURIComponent(cursor)}`
  const rest = await followLinks(client, path, report)
  if (rest.length !== remaining)
    report(`${id} speaks of ${remaining} more replies and has ${rest.length}`)
  return [...items, ...rest]
}

/** Reads every page of a list. The body and the `Link` header must have the same cursor. */
const followLinks = async (
  client: Client,
  first: string,
  report: Report,
): Promise<CommentOnWire[]> => {
  const found: CommentOnWire[] = []
  for (let path: string | undefined = first; path !== undefined; ) {
    const { body, headers } = await client.get(path)
    found.push(...body.items)
    path = /^<([^>]+)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1]
    const linked = path && new URLSearchParams(path.split('?')[1]).get('cursor')
    if ((linked ?? null) !== body.next_cursor) report(`${first}: Link and next_cursor differ`)
  }
  return found
}
