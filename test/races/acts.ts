import { type Answer, type Ask, isUnconfirmed } from './client.ts'
import type { Load, Report } from './load.ts'
import { AS_ADMIN, type Node } from './race.ts'
import { nextMark, pathsTo } from './story.ts'
import type { Witness } from './witness.ts'

type Comment = { id: string; mark: string; token: string; isEdited: boolean }

/** Data that every participant of the race shares. */
export type Scene = Required<Load> & {
  readonly nodes: readonly Node[]
  readonly send: (url: string, ask?: Ask) => Promise<Answer | undefined>
  readonly witness: Witness
  /** Comments that are still visible. */
  readonly visible: Comment[]
  /** Ids of everything, hidden or not. */
  readonly ids: string[]
  /** Comments that stay, and have replies. */
  readonly roots: string[]
  /** Reads that the race awaits only at its end. */
  readonly pending: Set<Promise<unknown>>
  readonly report: { -readonly [Key in keyof Report]: Report[Key] }
  isOver: boolean
}

const MOST_VISIBLE = 40
const MOST_VIOLATIONS = 10
const MOST_PENDING = 200
const ENCODINGS = ['identity', 'gzip', 'br']
/** A hide whose invalidation was late must not have responded before. */
const ANNOUNCE_MS = 50

export const pick = <T>(all: readonly T[]): T => all[Math.floor(Math.random() * all.length)]!

export const write = async (scene: Scene, node: Node): Promise<void> => {
  if (scene.visible.length < MOST_VISIBLE) await post(scene, node)
}

export const post = async (scene: Scene, node: Node): Promise<void> => {
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

/** Hides a comment for good, or replaces its text; then a reader reads from every node immediately. */
export const moderate = async (scene: Scene, node: Node): Promise<void> => {
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

export const look = (scene: Scene, node: Node, id: string): void => {
  const { pending } = scene
  if (pending.size >= MOST_PENDING) return
  const reading = read(scene, node, pickPath(scene, id)).finally(() => pending.delete(reading))
  pending.add(reading)
}

const pickPath = ({ article, roots }: Scene, id: string): string =>
  pick([...pathsTo(article, id), `/comments/${pick(roots)}/replies`])

type Kept = { readonly etag: string; readonly text: string }

/** Keeps what it was answered, as a browser does, and asks whether that still stands. */
export const createReader = () => {
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
