import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../start.ts'
import { createReader, look, moderate, pick, post, type Scene, write } from './acts.ts'
import type { Answer } from './client.ts'
import type { Node, Race } from './race.ts'
import { createWitness } from './witness.ts'

/** On which node each of them is, by its index. */
export type Load = {
  readonly article: string
  readonly readers?: readonly number[]
  readonly writers?: readonly number[]
  readonly moderators?: readonly number[]
  /** Whether another node shows a comment at its 201, or only to who names its version. */
  readonly readBack?: 'at once' | 'at least' | 'never'
  /**
   * An unconfirmed page is excused: while the node of the moderators has no Redis, the
   * others go by what Postgres tells them, if it does.
   */
  readonly excusesUnconfirmed?: boolean
  /** Is told every answer to a reading. */
  readonly see?: (node: Node, path: string, answer: Answer) => void
}

/** Begins a reading on a node, and waits for nothing. */
export type Look = (node: number) => void

export type Report = {
  /** The first few. */
  readonly violations: string[]
  /** How often an answer came, by its status. */
  readonly answers: Record<string, number>
  readonly posts: number
  readonly hides: number
  /** Readings that began after something had been hidden. */
  readonly late: number
  readonly excused: number
}

/** Longest pauses: each version is read several times before the next one. */
const READER_PAUSE_MS = 8
const WRITER_PAUSE_MS = 80
/** A test that has seen less says nothing. */
const LEAST_HIDES = 5
const LEAST_LATE = 100

const EVERYBODY = {
  readers: Array.from({ length: 16 }, (_, n) => n % 2),
  writers: [0, 1, 0],
  moderators: [0, 1],
  readBack: 'at least',
  excusesUnconfirmed: false,
  see: () => {},
} as const

/** Reads, writes and moderates until `during` is over, and until enough was seen. */
export const runLoad = async (
  { send }: Race,
  nodes: readonly Node[],
  load: Load,
  during: (look: Look) => Promise<unknown>,
): Promise<Report> => {
  const report = { violations: [], answers: {}, posts: 0, hides: 0, late: 0, excused: 0 }
  const scene: Scene = {
    ...EVERYBODY,
    ...load,
    nodes,
    send: counting(send, report.answers),
    witness: createWitness(load.article),
    visible: [],
    ids: [],
    roots: [],
    pending: new Set(),
    report,
    isOver: false,
  }
  for (const _ of [1, 2]) await post(scene, nodes[0]!)
  for (const { id } of scene.visible.splice(0)) scene.roots.push(id)
  const everybody = begin(scene)
  try {
    await during((node) => look(scene, nodes[node]!, pick(scene.ids)))
    await until('for enough to be hidden and read', () => {
      return report.hides >= LEAST_HIDES && report.late >= LEAST_LATE
    })
  } finally {
    scene.isOver = true
    await Promise.all(everybody)
    await Promise.all(scene.pending)
  }
  return report
}

/** A broken connection counts as a response with an unknown outcome. */
const counting =
  (send: Race['send'], answers: Record<string, number>): Scene['send'] =>
  async (url, ask = {}) => {
    const answer = await send(url, ask).catch(() => undefined)
    const what = `${ask.method ?? 'GET'} ${answer?.status ?? 'lost'}`
    answers[what] = (answers[what] ?? 0) + 1
    return answer
  }

const begin = (scene: Scene): Promise<void>[] => {
  const repeat = (act: typeof write, pauseMs: number) => async (node: number) => {
    while (!scene.isOver) {
      await act(scene, scene.nodes[node]!)
      await sleep(Math.random() * pauseMs)
    }
  }
  return [
    ...scene.readers.map((node) => repeat(createReader(), READER_PAUSE_MS)(node)),
    ...scene.writers.map(repeat(write, WRITER_PAUSE_MS)),
    ...scene.moderators.map(repeat(moderate, WRITER_PAUSE_MS)),
  ]
}
