import { type Answer, isUnconfirmed } from './client.ts'
import { AS_ADMIN, type Node, type Race } from './race.ts'
import { createWitness, type Hide } from './witness.ts'

/** A comment that one test follows, step by step. */
export type Story = Awaited<ReturnType<typeof tellStory>>

let marks = 0
/** A word that no other text of this process has. */
export const nextMark = (): string => `mark${++marks}x`

/** Every way in which a reader may see a comment, or that it counts. */
export const pathsTo = (article: string, id: string): string[] => [
  `/articles/${article}`,
  `/articles/${article}/comments`,
  `/articles/${article}/comments?limit=100&depth=10&replies=50`,
  `/articles/${article}/comments?view=flat&limit=100`,
  `/articles/${article}/comments?view=flat&limit=100&sort=top`,
  `/comments/${id}`,
  '/comments?limit=100',
  `/comments?limit=100&article_id=${article}`,
  `/counts?article_id=${article}`,
  '/articles?limit=100',
]

/** Posts a comment in an article of its own. */
export const tellStory = async ({ send }: Race, node: Node, article: string) => {
  const witness = createWitness(article)
  const post = async (parentId: string | null = null) => {
    const mark = nextMark()
    witness.posting()
    const posted = await send(`${node.site}/articles/${article}/comments`, {
      method: 'POST',
      headers: AS_ADMIN,
      body: { body: `Some ${mark} text`, author: { name: 'Ada' }, parent_id: parentId },
    })
    if (posted.status !== 201) throw new Error(`posting: ${posted.status} ${posted.text}`)
    const { id, guest_token: token } = JSON.parse(posted.text) as Record<string, string>
    return { id: id!, mark, token: token! }
  }
  const { id, mark, token } = await post()
  const paths = [
    `/articles/${article}`,
    `/articles/${article}/comments?view=flat&limit=100`,
    `/comments/${id}`,
    '/comments?limit=100',
    `/counts?article_id=${article}`,
  ]
  const readAll = (where: Node) => Promise.all(paths.map((path) => send(`${where.site}${path}`)))
  const hid = (answer: Answer, what: Partial<Hide> = {}): void => {
    const version = Number(answer.headers['thread-version'] ?? 0)
    witness.hid({ gone: [id, mark], comments: 1, version, at: answer.ended, ...what })
  }
  const judge = (answer: Answer, path: string): string[] =>
    witness.judge(answer).map((fault) => `GET ${path}: ${fault}`)
  const decide = (where: Node, headers: Record<string, string> = {}): Promise<Answer> =>
    send(`${where.site}/comments/${id}/decisions`, {
      method: 'POST',
      headers: { ...AS_ADMIN, ...headers },
      body: { from: 'approved', to: 'rejected' },
    })
  return {
    article,
    id,
    mark,
    token,
    /** Another one in the same article. */
    postAnother: post,
    /** From now on nothing may show that. */
    hid,
    /** Reads it in every way; what can be remembered is remembered then. */
    warm: async (where: Node): Promise<void> => {
      for (const path of [...paths, ...paths]) await send(`${where.site}${path}`)
    },
    decide,
    /** Rejects it, and expects that to succeed. */
    reject: async (where: Node): Promise<Answer> => {
      const answer = await decide(where)
      if (answer.status !== 201) throw new Error(`rejecting: ${answer.status} ${answer.text}`)
      hid(answer)
      return answer
    },
    /** How many readings show the comment itself. */
    countShown: async (where: Node): Promise<number> => {
      const answers = await readAll(where)
      return answers.filter(({ text }) => text.includes(mark)).length
    },
    /** Like `look`, but for what the node could not confirm. */
    lookConfirmed: async (where: Node): Promise<string[]> => {
      const answers = await readAll(where)
      return answers.flatMap((answer, n) => (isUnconfirmed(answer) ? [] : judge(answer, paths[n]!)))
    },
    /** A read that shows hidden content. */
    look: async (where: Node): Promise<string[]> => {
      const answers = await readAll(where)
      return answers.flatMap((answer, n) => judge(answer, paths[n]!))
    },
  }
}
