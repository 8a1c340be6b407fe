import type { Placed, StoredPlace } from '../../domain/importing/place-comments.ts'
import type { Instant } from '../../domain/instant.ts'

/** The authors and threads that an import has found or created so far, by the numbers that the file gives to authors and threads. */
export type Known = {
  readonly originId: number
  /** The ids of authors. 0: not looked up yet. */
  readonly authors: Numbers
  /** 1: the author or thread was counted. */
  readonly countedAuthors: Numbers
  readonly countedThreads: Numbers
  readonly planned: Planned
  /** The articles that had no thread before. */
  readonly articles: Set<string>
}

export const createKnown = (originId: number): Known => ({
  originId,
  authors: createNumbers(),
  countedAuthors: createNumbers(),
  countedThreads: createNumbers(),
  planned: createPlanned(),
  articles: new Set(),
})

/** Numbers by numbers from 1; 0 if none is set. */
type Numbers = {
  readonly get: (at: number) => number
  readonly set: (at: number, value: number) => void
}

const FIRST_SIZE = 1_024

/** 8 bytes a number, for files with a million authors. */
const createNumbers = (): Numbers => {
  let values = new Float64Array(FIRST_SIZE)
  return {
    get: (at) => values[at] ?? 0,
    set: (at, value) => {
      if (at >= values.length) {
        const longer = new Float64Array(Math.max(at + 1, values.length * 2))
        longer.set(values)
        values = longer
      }
      values[at] = value
    },
  }
}

/** The comments of the present thread that a dry run would have stored by now. Their ids are no ids of comments. */
type Planned = {
  readonly takeIds: (count: number) => number[]
  readonly idOf: (thread: number, sourceId: string) => number | undefined
  /** Planned comments with all their ancestors. */
  readonly linesOf: (ids: readonly number[]) => StoredPlace[]
  readonly add: (thread: number, comment: PlannedComment) => void
}

type PlannedComment = {
  readonly sourceId: string
  readonly placed: Placed
  readonly isVisible: boolean
  readonly createdAt: Instant
}

/** Above every id of a comment. */
const FIRST_PLANNED_ID = 2 ** 52

const createPlanned = (): Planned => {
  let nextId = FIRST_PLANNED_ID
  let present = 0
  const ids = new Map<string, number>()
  const places = new Map<number, StoredPlace>()
  return {
    takeIds: (count) => Array.from({ length: count }, () => nextId++),
    idOf: (thread, sourceId) => (thread === present ? ids.get(sourceId) : undefined),
    linesOf: (from) => {
      const found = new Map<number, StoredPlace>()
      for (let id of from)
        for (let place = places.get(id); place && !found.has(id); place = places.get(id)) {
          found.set(id, place)
          id = place.parentId
        }
      return [...found.values()]
    },
    add: (thread, { sourceId, placed, isVisible, createdAt }) => {
      if (thread !== present) {
        ids.clear()
        places.clear()
        present = thread
      }
      ids.set(sourceId, placed.id)
      places.set(placed.id, { ...placed, homeThreadId: null, isVisible, createdAt })
    },
  }
}
