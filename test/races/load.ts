import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../start.ts'
import { type Answer, type Ask, isUnconfirmed } from './client.ts'
import { AS_ADMIN, type Node, type Race } from './race.ts'
import { nextMark, pathsTo } from './story.ts'
import { createWitness, type Witness } from './witness.ts'

/** On which node each of them is, by its index. */
export type Load = {
  readonly article: string
  readonly readers?: readonly number[]
  readonly writers?: readonly number[]
  readonly moderators?: readonly number[]
  /** Whether another node shows a comment at its 201, or only to who names its version. */
  readonly readBack?: 'at once' | 'at least' | 'never'
  /**
   * What a node could not confirm is excused: while the node of the moderators has no Redis, the
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

type Comment = { id: string; mark: string; token: string; isEdited: boolean }

/** What all who take part have to know. */
type Scene = Required<Load> & {
  readonly nodes: readonly Node[]
  readonly send: (url: string, ask?: Ask) => Promise<Answer | undefined>
  readonly witness: Witness
  /** Comments that nobody has hidden yet. */
  readonly visible: Comment[]
  /** Ids of everything, hidden or not. */
  readonly ids: string[]
  /** Comments that stay, and have replies. */
  readonly roots: string[]
  /** Readings that nobody waits for before the end. */
  readonly pending: Set<Promise<unknown>>
  readonly report: { -readonly [Key in keyof Report]: Report[Key] }
  isOver: boolean
}

/** Longest pauses. A version is read several times before the next one, from memory if may be. */
const READER_PAUSE_MS = 8
const WRITER_PAUSE_MS = 80
const MOST_VISIBLE = 40
const MOST_VIOLATIONS = 10
const MOST_PENDING = 200
/** A test that has seen less says nothing. */
const LEAST_HIDES = 5
const LEAST_LATE = 100
/** What could not be announced in time was not answered before. */
const ANNOUNCE_MS = 50

const ENCODINGS = ['identity', 'gzip', 'br']
const EVERYBODY = {
  readers: Array.from({ length: 16 }, (_, n) => n % 2),
  writers: [0, 1, 0],
  moderators: [0, 1],
  readBack: 'at least',
  excusesUnconfirmed: false,
  see: () => {},
} as const

const pick = <T>(all: readonly T[]): T => all[Math.floor(Math.random() * all.length)]!

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

/** A broken connection is an answer too: nobody knows what happened. */
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

const write = async (scene: Scene, node: Node): Promise<void> => {
  if (scene.visible.length < MOST_VISIBLE) await post(scene, node)
}

const post = async (scene: Scene, node: Node): Promise<void> => {
  const { article, witness, report, ids, roots, visible } = scene
  const mark = nextMark()
  const parent_id = ids.length % 4 === 3 ? pick(roots) : null
  witness.posting()
  const answer = await scene.send(`${node.site}/articles/${article}/comments`, {
    method: 'POST',
    body: { body: `Some ${mark} text`, author: { name: 'Ada' }, parent_id },
  })
  if (answer?.status !== 201) return
  const { id, guest_token: token } = JSON.parse(answer.text)
  report.posts += 1
  ids.push(id)
  await readBack(scene, node, { id, mark, answer })
  visible.push({ id, mark, token, isEdited: false })
}

/** On another node: who has posted may be sent there next. */
const readBack = async (
  scene: Scene,
  node: Node,
  { id, mark, answer }: { id: string; mark: string; answer: Answer },
): Promise<void> => {
  const { nodes, article, report } = scene
  if (scene.readBack === 'never') return
  const version = answer.headers['thread-version']
  const isTold = scene.readBack === 'at once' && answer.ended - answer.begun < ANNOUNCE_MS
  const atLeast = isTold ? '' : `at_least=${String(version)}`
  const paths = [
    `/articles/${article}/comments?view=flat&limit=100&${atLeast}`,
    `/comments/${id}?${atLeast}`,
  ]
  if (isTold) paths.push('/comments?limit=100', `/comments?limit=100&article_id=${article}`)
  const path = pick(paths)
  const found = await read(scene, nodes[(nodes.indexOf(node) + 1) % nodes.length]!, path)
  const isThere = found === undefined || found.status === 503 || found.text.includes(mark)
  if (!isThere) report.violations.push(`GET ${path}: ${found.status} without ${mark}`)
}

/** Hides a comment for good, or replaces its text; then somebody looks on every node at once. */
const moderate = async (scene: Scene, node: Node): Promise<void> => {
  const { visible, witness, report, nodes } = scene
  const [comment] = visible.splice(Math.floor(Math.random() * visible.length), 1)
  if (!comment) return
  const isEdit = !comment.isEdited && Math.random() < 0.25
  const mark = nextMark()
  const answer = await (isEdit ? edit(scene, node, comment, mark) : hide(scene, node, comment))
  if (!answer || answer.status >= 300) return
  report.hides += 1
  witness.hid({
    gone: isEdit ? [comment.mark] : [comment.mark, comment.id],
    comments: isEdit ? 0 : 1,
    version: Number(answer.headers['thread-version']),
    at: answer.ended,
  })
  for (const one of nodes) look(scene, one, comment.id)
  if (isEdit) visible.push({ ...comment, mark, isEdited: true })
}

const edit = (scene: Scene, node: Node, { id }: Comment, mark: string) =>
  scene.send(`${node.site}/comments/${id}`, {
    method: 'PATCH',
    headers: AS_ADMIN,
    body: { body: `Other ${mark} text` },
  })

const hide = (scene: Scene, node: Node, { id, token }: Comment) => {
  const path = `${node.site}/comments/${id}`
  const to = pick(['rejected', 'spam', 'deleted', 'pending', 'delete', 'delete own'])
  if (to.startsWith('delete ')) {
    const headers = { authorization: `Bearer ${token}` }
    return scene.send(path, { method: 'DELETE', headers })
  }
  if (to === 'delete') return scene.send(path, { method: 'DELETE', headers: AS_ADMIN })
  const body = { from: 'approved', to }
  return scene.send(`${path}/decisions`, { method: 'POST', headers: AS_ADMIN, body })
}

const look = (scene: Scene, node: Node, id: string): void => {
  const { pending } = scene
  if (pending.size >= MOST_PENDING) return
  const reading = read(scene, node, pickPath(scene, id)).finally(() => pending.delete(reading))
  pending.add(reading)
}

const pickPath = ({ article, roots }: Scene, id: string): string =>
  pick([...pathsTo(article, id), `/comments/${pick(roots)}/replies`])

type Kept = { readonly etag: string; readonly text: string }

/** Keeps what it was answered, as a browser does, and asks whether that still stands. */
const createReader = () => {
  const kept = new Map<string, Kept>()
  return async (scene: Scene, node: Node): Promise<void> => {
    await read(scene, node, pickPath(scene, pick(scene.ids)), kept)
  }
}

const read = async (
  scene: Scene,
  node: Node,
  path: string,
  kept = new Map<string, Kept>(),
): Promise<Answer | undefined> => {
  const { witness, report, see } = scene
  const encoding = pick(ENCODINGS)
  const known = kept.get(`${path} ${encoding}`)
  const answer = await scene.send(`${node.site}${path}`, {
    headers: { 'accept-encoding': encoding, ...(known && { 'if-none-match': known.etag }) },
  })
  if (!answer) return undefined
  see(node, path, answer)
  const text = answer.status === 304 ? known!.text : answer.text
  const { etag } = answer.headers
  if (answer.status === 200 && etag) kept.set(`${path} ${encoding}`, { etag, text })
  if (scene.excusesUnconfirmed && isUnconfirmed(answer)) {
    report.excused += 1
    return { ...answer, text }
  }
  if (witness.hides.some(({ at }) => at < answer.begun)) report.late += 1
  for (const fault of witness.judge(answer, text)) {
    const what = `node ${scene.nodes.indexOf(node)}: GET ${path} (${encoding}): ${answer.status}`
    const span = `${answer.begun.toFixed(1)} to ${answer.ended.toFixed(1)}`
    if (report.violations.length < MOST_VIOLATIONS)
      report.violations.push(`${what} from ${span}: ${fault}`)
  }
  return { ...answer, text }
}
