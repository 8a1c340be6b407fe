/** Why a comment of a file lost its parent. */
export type Orphan = 'missing' | 'cycle'

type Node = {
  /** The number of the comment in the file. */
  readonly n: number
  /** The number of the parent; null if the file has none in this thread. */
  readonly parent: number | null
  /** Whether the file names a parent. */
  readonly hasParent: boolean
}

export type Ordered = {
  readonly n: number
  /** Whether the parent comes before this comment. */
  readonly isParentInFile: boolean
  /** `missing`: the parent is not in the file. `cycle`: the parents lead back to the comment, which becomes a root. */
  readonly orphan: Orphan | null
}

/**
 * Orders the comments of a thread so that each comes after its parent, and otherwise as they are given: by time.
 * Of comments that are each other's parents, the first becomes a root. Takes linear time at any depth.
 */
export const orderComments = (nodes: readonly Node[]): Ordered[] => {
  const placeOf = new Map(nodes.map(({ n }, place) => [n, place]))
  const parents = Int32Array.from(nodes, ({ parent }) =>
    parent === null ? NONE : (placeOf.get(parent) ?? NONE),
  )
  const marks = new Uint8Array(nodes.length)
  const cut = new Set<number>()
  const ordered: Ordered[] = []
  for (let first = 0; first < nodes.length; first++) {
    for (const at of lineTo(first, { parents, marks, cut }).reverse()) {
      marks[at] = PLACED
      const { n, hasParent } = nodes[at]!
      const isParentInFile = parents[at] !== NONE
      const lost = cut.has(at) ? 'cycle' : 'missing'
      ordered.push({ n, isParentInFile, orphan: hasParent && !isParentInFile ? lost : null })
    }
  }
  return ordered
}

const NONE = -1
const ON_LINE = 1
const PLACED = 2

type Walk = {
  readonly parents: Int32Array
  readonly marks: Uint8Array
  readonly cut: Set<number>
}

/** The comments from one up to the first that is placed or has no parent. A cycle is cut at its first comment. */
const lineTo = (first: number, { parents, marks, cut }: Walk): number[] => {
  const line: number[] = []
  let at = first
  while (at !== NONE && marks[at] === 0) {
    marks[at] = ON_LINE
    line.push(at)
    at = parents[at]!
  }
  if (at === NONE || marks[at] === PLACED) return line
  const root = line.slice(line.indexOf(at)).reduce((one, other) => Math.min(one, other))
  cut.add(root)
  parents[root] = NONE
  const end = line.indexOf(root) + 1
  for (const above of line.splice(end)) marks[above] = 0
  return line
}
