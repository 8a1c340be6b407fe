import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import t from 'tap'

const SRC = join(import.meta.dirname, '../src')

/** For each file or folder, the others that it imports. */
type Graph = ReadonlyMap<string, ReadonlySet<string>>

const RELATIVE_IMPORT = /\b(?:from|import)\s*\(?\s*'(\.[^']+)'/g

/** Imports of types count too: a reader has to follow them like any other. */
const importsOf = (path: string, source: string): string[] =>
  [...source.matchAll(RELATIVE_IMPORT)].map(([, from]) =>
    relative(SRC, resolve(SRC, dirname(path), from!)),
  )

const readGraph = (): Graph =>
  new Map(
    globSync('**/*.ts', { cwd: SRC }).map((path) => [
      path,
      new Set(importsOf(path, readFileSync(join(SRC, path), 'utf8'))),
    ]),
  )

/** Groups of nodes that all reach each other: Tarjan's strongly connected components. */
const findCycles = (graph: Graph): string[][] => {
  const order = new Map<string, number>()
  const lowest = new Map<string, number>()
  const stack: string[] = []
  const cycles: string[][] = []
  const visit = (node: string): void => {
    order.set(node, order.size)
    lowest.set(node, order.get(node)!)
    stack.push(node)
    for (const next of graph.get(node) ?? []) {
      if (!order.has(next)) visit(next)
      if (stack.includes(next)) lowest.set(node, Math.min(lowest.get(node)!, lowest.get(next)!))
    }
    if (lowest.get(node) !== order.get(node)) return
    const component = stack.splice(stack.indexOf(node))
    if (component.length > 1 || graph.get(node)?.has(node)) cycles.push(component.toSorted())
  }
  for (const node of graph.keys()) if (!order.has(node)) visit(node)
  return cycles
}

/** The rooms of one floor; files that lie on the floor itself are in no room. */
const roomsOf = (floor: string, files: Graph): Graph => {
  const rooms = new Map<string, Set<string>>()
  const roomOf = (path: string): string | undefined => {
    const [top, room, ...rest] = path.split('/')
    return top === floor && rest.length > 0 ? room : undefined
  }
  for (const [path, imports] of files) {
    const room = roomOf(path)
    if (room === undefined) continue
    const others = [...imports].map(roomOf).filter((other) => other !== undefined && other !== room)
    const known = rooms.get(room) ?? new Set<string>()
    rooms.set(room, new Set([...known, ...(others as string[])]))
  }
  return rooms
}

const FLOORS_WITH_ROOMS = ['domain', 'usecases']

t.test('no files of the source import each other in a circle', async (t) => {
  const files = readGraph()
  t.ok(files.size > 200, `${files.size} files`)
  t.ok(files.get('usecases/context.ts')!.size > 5, 'imports are read')
  t.same(findCycles(files), [])
})

for (const floor of FLOORS_WITH_ROOMS)
  t.test(`the rooms of ${floor} import each other in one direction`, async (t) => {
    const rooms = roomsOf(floor, readGraph())
    t.ok(rooms.size > 3, `${rooms.size} rooms`)
    t.same(findCycles(rooms), [])
  })

t.test('findCycles finds a planted circle, also one of types', async (t) => {
  const planted = (more: Record<string, string>): Graph =>
    new Map([
      ...readGraph(),
      ...Object.entries(more).map(([path, source]): [string, Set<string>] => [
        path,
        new Set(importsOf(path, source)),
      ]),
    ])
  const files = planted({
    'domain/a.ts': "import type { B } from './b.ts'",
    'domain/b.ts': "export type { C } from './c/c.ts'",
    'domain/c/c.ts': "const a = await import('../a.ts')",
    'domain/d.ts': "import { a } from './a.ts'",
  })
  t.same(findCycles(files), [['domain/a.ts', 'domain/b.ts', 'domain/c/c.ts']])
  const rooms = planted({
    'usecases/one/a.ts': "import {\n  type B,\n} from '../two/b.ts'",
    'usecases/two/c.ts': "import '../one/d.ts'",
  })
  t.same(findCycles(roomsOf('usecases', rooms)), [['one', 'two']])
})
