import { isRanked, type Position, type Sort } from './sort.ts'

/**
 * The start of a page after the first. In a stable sort it is the position of the last comment. In a
 * ranked sort it is the comments that earlier pages showed: a page is the best of the others, in the
 * ranking of its moment, so that no vote repeats or skips a comment.
 */
export type Place = {
  /** Null in a ranked sort, until `MAX_SHOWN` comments were shown. */
  readonly position: Position | null
  /** Ids of comments that the page leaves out, at any position. */
  readonly shown: readonly number[]
}

/** A list that showed this many comments goes on with the others, oldest first. */
export const MAX_SHOWN = 500

const OLDEST: Position = [0, 0]

/** Whether the page is in order of age, because a ranked list has shown too many comments to name them all. */
export const isTail = (place: Place | null): place is Place & { position: Position } =>
  place !== null && place.position !== null && place.shown.length > 0

/** The order of a page, which is that of the list until its tail. */
export const orderAt = (sort: Sort, place: Place | null): Sort => (isTail(place) ? 'oldest' : sort)

/**
 * The place after a page.
 * @param items the comments of the page, at least one, with their keys
 */
export const placeAfter = (
  items: readonly { readonly key: number; readonly id: number }[],
  { sort, after }: { readonly sort: Sort; readonly after: Place | null },
): Place => {
  const { key, id } = items.at(-1)!
  if (!isRanked(sort)) return { position: [key, id], shown: [] }
  if (isTail(after)) return { position: [key, id], shown: after.shown }
  const shown = [...(after?.shown ?? []), ...items.map((item) => item.id)]
  return { position: shown.length < MAX_SHOWN ? null : OLDEST, shown }
}
