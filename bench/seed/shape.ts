import { createRandom } from '../random.ts'

/** One comment of a thread. Places count from 1, in the order of time; parent 0 is a root. */
export type Node = {
  readonly place: number
  readonly parent: number
  readonly depth: number
  readonly replies: number
  /** The place of its newest reply, or its own. */
  readonly newest: number
}

const ROOTS = 0.4
/** People reply to what they still see: one of the comments just before. */
const IN_SIGHT = 60
/** All of a small thread fits a page of ten levels; a large one goes deeper. */
const SMALL = 100
const MAX_DEPTH_SMALL = 8
const MAX_DEPTH_LARGE = 40

/** A thread of mixed depths, always the same for one size. */
export const shapeThread = (size: number): Node[] => {
  const random = createRandom(size)
  const maxDepth = size <= SMALL ? MAX_DEPTH_SMALL : MAX_DEPTH_LARGE
  const nodes: { -readonly [key in keyof Node]: Node[key] }[] = []
  for (let place = 1; place <= size; place++) {
    const isRoot = place === 1 || random() < ROOTS
    const back = 1 + Math.floor(random() * Math.min(place - 1, IN_SIGHT))
    const found = isRoot ? undefined : nodes[place - back - 1]
    const parent = found && found.depth < maxDepth ? found : undefined
    if (parent) {
      parent.replies += 1
      parent.newest = place
    }
    const depth = parent ? parent.depth + 1 : 0
    nodes.push({ place, parent: parent?.place ?? 0, depth, replies: 0, newest: place })
  }
  return nodes
}
