import { createRandom } from '../random.ts'

/** One comment of a thread. Places count from 1, in the order of time; parent 0 is a root. */
export type Node = {
  readonly place: number
  readonly parent: number
  readonly depth: number
  readonly replies: number
  /** The place of the newest reply, or of the comment itself. */
  readonly newest: number
}

const ROOTS = 0.4
/** A reply goes to one of this many comments before it. */
const IN_SIGHT = 60
/** A thread of up to this many comments fits a page of ten levels. A larger thread is deeper. */
const SMALL = 100
const MAX_DEPTH_SMALL = 8
const MAX_DEPTH_LARGE = 40

/** Makes a thread of mixed depths. The same size gives the same thread. */
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
