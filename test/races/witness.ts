import type { Answer } from './client.ts'

/** The comments and versions that a response names. */
type Body = {
  thread?: Thread
  items?: Item[]
  next_cursor?: string | null
} & Partial<Thread> &
  Record<string, unknown>
type Thread = { article_id: string; comment_count: number; version: number }
type Item = { article_id: string; body?: string | null; comment_count?: number; replies?: Replies }
type Replies = { items: Item[]; next_cursor: string | null }

/** An acknowledged decision: no reading that begins after `at` shows what it took away. */
export type Hide = {
  /** Ids and marks that are gone for good. */
  readonly gone: readonly string[]
  /** How many comments are no longer counted. */
  readonly comments: number
  /** The version of the thread since then; 0 when the answer did not say. */
  readonly version: number
  readonly at: number
}

export type Witness = ReturnType<typeof createWitness>

/** Every text of these tests has a mark; both marks and ids are found in any answer. */
const NAMES = /mark\d+x|c[\w-]{22}(?=")/g

/** Remembers what was acknowledged about one article, and holds every reading against it. */
export const createWitness = (article: string) => {
  const gone = new Map<string, number>()
  const hides: Hide[] = []
  const posts: number[] = []

  const before = (at: number): Hide[] => hides.filter((hide) => hide.at < at)

  const namesShown = ({ begun }: Answer, text: string): string[] => {
    const names = new Set(text.match(NAMES))
    const late = [...names].filter((name) => gone.get(name)! < begun)
    return late.map((name) => `shows ${name}, gone at ${gone.get(name)!.toFixed(1)}`)
  }

  const staleVersion = ({ begun }: Answer, body: Body): string[] => {
    const thread = body.thread ?? body
    const least = Math.max(0, ...before(begun).map(({ version }) => version))
    const isOld = thread.article_id === article && thread.version! < least
    return isOld ? [`has version ${thread.version}, not ${least}`] : []
  }

  const wrongCount = ({ begun, ended }: Answer, body: Body): string[] => {
    const count = countIn(body, article)
    const posted = posts.filter((at) => at < ended).length
    const hidden = before(begun).reduce((sum, { comments }) => sum + comments, 0)
    const isTooMany = count !== undefined && count > posted - hidden
    return isTooMany ? [`counts ${count}: ${posted} were posted, ${hidden} hidden`] : []
  }

  return {
    article,
    hides,
    /** A comment is about to be posted, and may count from now on. */
    posting: () => void posts.push(performance.now()),
    hid: (hide: Hide): void => {
      hides.push(hide)
      for (const name of hide.gone) gone.set(name, hide.at)
    },
    /** @returns what the answer, or the body that a 304 confirms, must not say */
    judge: (answer: Answer, text = answer.text): string[] => {
      if (answer.status !== 200 && answer.status !== 304) return []
      const body = JSON.parse(text) as Body
      return [
        ...namesShown(answer, text),
        ...staleVersion(answer, body),
        ...wrongCount(answer, body),
        ...unequalCount(body),
      ]
    },
  }
}

/** Of a thread, of its page, of the list of articles, or of the counts. */
const countIn = (body: Body, article: string): number | undefined => {
  const listed = body.items?.find((item) => item.article_id === article)
  const counts = body[article] as Thread | undefined
  const thread = body.thread ?? (body.article_id === article ? body : undefined)
  return (thread ?? counts ?? listed)?.comment_count
}

/** Count and list come from one snapshot. */
const unequalCount = ({ thread, items, next_cursor }: Body): string[] => {
  if (!thread || !items || next_cursor !== null) return []
  const listed = countItems(items)
  const isUnequal = listed !== undefined && listed !== thread.comment_count
  return isUnequal ? [`counts ${thread.comment_count} and lists ${listed}`] : []
}

/** Tombstones are not counted. Undefined when there is more to be read. */
const countItems = (items: readonly Item[]): number | undefined => {
  const counts = items.map(({ body, replies }) => {
    if (replies && replies.next_cursor !== null) return Number.NaN
    return (body === null ? 0 : 1) + (countItems(replies?.items ?? []) ?? Number.NaN)
  })
  const sum = counts.reduce((a, b) => a + b, 0)
  return Number.isNaN(sum) ? undefined : sum
}
