import type { Entry } from './file.ts'
import type { CommentOnWire } from './read-back.ts'

/** Normalises a name as the service does. */
export const keptName = (name: string): string => name.trim().normalize('NFKC').trim()

const isAlike = ({ body, name }: Entry, comment: CommentOnWire): boolean =>
  comment.body === body && comment.author?.name === keptName(name)

/**
 * Pairs the comments of the thread with the entries of the file by parent, body and author name. Equal
 * comments pair in order, each once.
 * @returns ids by `ref`
 */
export const recognise = (
  entries: readonly Entry[],
  comments: readonly CommentOnWire[],
): Map<string, string> => pairUp(entries, comments, { mayDiffer: false })

/**
 * Pairs like `recognise`. With `mayDiffer`, the remaining entries also pair with the remaining comments of
 * the same parent in order, so that a changed body is one difference and not a missing and an extra comment.
 */
export const pairUp = (
  entries: readonly Entry[],
  comments: readonly CommentOnWire[],
  { mayDiffer }: { mayDiffer: boolean },
): Map<string, string> => {
  const entriesBelow = Map.groupBy(entries, ({ parentRef }) => parentRef)
  const commentsBelow = Map.groupBy(comments, ({ parent_id: parentId }) => parentId)
  const ids = new Map<string, string>()
  const pairBelow = (parentRef: string | null, parentId: string | null): void => {
    const children = entriesBelow.get(parentRef) ?? []
    const left = [...(commentsBelow.get(parentId) ?? [])]
    for (const entry of children) {
      const at = left.findIndex((comment) => isAlike(entry, comment))
      if (at !== -1) ids.set(entry.ref, left.splice(at, 1)[0]!.id)
    }
    for (const { ref } of children) {
      const other = ids.has(ref) || !mayDiffer ? undefined : left.shift()
      if (other) ids.set(ref, other.id)
      if (ids.has(ref)) pairBelow(ref, ids.get(ref)!)
    }
  }
  pairBelow(null, null)
  return ids
}
