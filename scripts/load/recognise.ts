import type { Entry } from './file.ts'
import type { CommentOnWire } from './read-back.ts'

/** As the service keeps names. */
export const keptName = (name: string): string => name.trim().normalize('NFKC').trim()

export const isAlike = ({ body, name }: Entry, comment: CommentOnWire): boolean =>
  comment.body === body && comment.author?.name === keptName(name)

/**
 * Which comment of the thread is which entry of the file: the same parent, body and author name.
 * Of several alike the first is the first, and none counts twice.
 * @returns ids by `ref`
 */
export const recognise = (
  entries: readonly Entry[],
  comments: readonly CommentOnWire[],
): Map<string, string> => pairUp(entries, comments, { mayDiffer: false })

/**
 * The same; but with `mayDiffer`, what is not recognised is paired, in order, with what is left over
 * below the same parent: a changed body is then one difference, and not one missing and one too many.
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
