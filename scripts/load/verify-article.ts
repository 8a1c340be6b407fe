import type { Client } from './client.ts'
import { type Article, type Entry, nameOf } from './file.ts'
import { articlePath, type CommentOnWire, walkFlat, walkTree } from './read-back.ts'
import { keptName, pairUp } from './recognise.ts'

/** `right` counts the entries that the tree and the flat list returned unchanged. */
export type Verdict = { readonly right: number; readonly differences: readonly string[] }

type Difference = { readonly entry?: Entry; readonly what: string }
type View = {
  readonly name: 'tree' | 'flat'
  /** The entries in the expected order of the view. */
  readonly entries: readonly Entry[]
  readonly comments: readonly CommentOnWire[]
}

/** Reads the thread back as tree, as flat list and as counts, and compares all with the file. */
export const verifyArticle = async (client: Client, { id, entries }: Article): Promise<Verdict> => {
  const faults: Difference[] = []
  const report = (what: string) => void faults.push({ what })
  const tree = await walkTree(client, id, report)
  const flat = (await walkFlat(client, id, report)).reverse()
  const found = [
    ...faults,
    ...compare({ name: 'tree', entries: depthFirst(entries), comments: tree }),
    ...compare({ name: 'flat', entries, comments: flat }),
    ...(await compareCounts(client, id, entries)),
  ]
  const wrong = new Set(found.flatMap(({ entry }) => (entry ? [entry.ref] : [])))
  const differences = found.map(({ entry, what }) => `${entry ? nameOf(entry) : id}: ${what}`)
  return { right: entries.length - wrong.size, differences }
}

const depthFirst = (entries: readonly Entry[]): Entry[] => {
  const below = Map.groupBy(entries, ({ parentRef }) => parentRef)
  const walk = (parentRef: string | null): Entry[] =>
    (below.get(parentRef) ?? []).flatMap((entry) => [entry, ...walk(entry.ref)])
  return walk(null)
}

const compare = ({ name, entries, comments }: View): Difference[] => {
  const ids = pairUp(entries, comments, { mayDiffer: true })
  const commentOf = new Map(comments.map((comment) => [comment.id, comment]))
  const entryOf = new Map(entries.map((entry) => [ids.get(entry.ref), entry]))
  const depths = new Map<string | null, number>([[null, -1]])
  const inEntries = entries.flatMap((entry): Difference[] => {
    depths.set(entry.ref, depths.get(entry.parentRef)! + 1)
    const comment = commentOf.get(ids.get(entry.ref) ?? '')
    if (!comment) return [{ entry, what: `is not in the ${name} view, or below another parent` }]
    const wrong = wrongFields(entry, comment, depths.get(entry.ref)!)
    return wrong.map((field) => ({ entry, what: `${field} differs in the ${name} view` }))
  })
  const extra = comments.filter(({ id }) => !entryOf.has(id))
  return [
    ...inEntries,
    ...extra.map(({ id }) => ({ what: `${id} in the ${name} view is not in the file` })),
    ...(commentOf.size < comments.length ? [{ what: `the ${name} view repeats a comment` }] : []),
    ...outOfOrder(
      entries,
      comments.map(({ id }) => entryOf.get(id)),
      name,
    ),
  ]
}

const wrongFields = (entry: Entry, comment: CommentOnWire, depth: number): string[] => {
  const { body, author } = comment
  const isSame = {
    body: body !== null && Buffer.from(body).equals(Buffer.from(entry.body)),
    'author name': author?.name === keptName(entry.name),
    'author url': keptUrl(author?.url) === keptUrl(entry.url),
    depth: comment.depth === depth,
  }
  return Object.entries(isSame).flatMap(([field, same]) => (same ? [] : [field]))
}

/** The service can return a URL in canonical form. */
const keptUrl = (url: string | null | undefined): string | null =>
  url ? (URL.parse(url)?.href ?? url) : null

/** Entries that the view returned after an entry that should follow them. */
const outOfOrder = (
  entries: readonly Entry[],
  shown: readonly (Entry | undefined)[],
  view: string,
): Difference[] => {
  const rank = new Map(entries.map((entry, i) => [entry, i]))
  let highest = -1
  return shown.flatMap((entry) => {
    const at = entry ? rank.get(entry)! : highest
    const isLate = at < highest
    highest = Math.max(highest, at)
    return entry && isLate ? [{ entry, what: `is too late in the ${view} view` }] : []
  })
}

const compareCounts = async (
  client: Client,
  articleId: string,
  entries: readonly Entry[],
): Promise<Difference[]> => {
  const roots = entries.filter(({ parentRef }) => parentRef === null).length
  const thread = await client.get(articlePath(articleId))
  const counts = await client.get(`/counts?article_id=${encodeURIComponent(articleId)}`)
  return Object.entries({ getThread: thread.body, counts: counts.body[articleId] }).flatMap(
    ([where, { comment_count: comments, root_count: rootCount }]) =>
      comments === entries.length && rootCount === roots
        ? []
        : [
            {
              what: `${where} counts ${comments} and ${rootCount} roots, not ${entries.length} and ${roots}`,
            },
          ],
  )
}
