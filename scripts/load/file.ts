import { readFile } from 'node:fs/promises'

/** One comment of the file; `ref` is unique within the article. */
export type Entry = {
  readonly articleId: string
  readonly ref: string
  readonly parentRef: string | null
  readonly name: string
  readonly url: string | null
  readonly body: string
}

export type Article = { readonly id: string; readonly entries: readonly Entry[] }

type Line = Record<string, unknown>

/**
 * Reads a JSONL file: `article_id, ref, parent_ref, author_name, author_url, created_at, body`.
 * Articles and comments keep the order of the file; a reply before its parent moves behind the parent.
 * @throws Error that names the line or the comment
 */
export const readArticles = async (path: string): Promise<Article[]> => {
  const lines = (await readFile(path, 'utf8')).split('\n')
  const entries = lines.flatMap((line, i) => (line.trim() === '' ? [] : [toEntry(line, i + 1)]))
  const byArticle = Map.groupBy(entries, (entry) => entry.articleId)
  return [...byArticle].map(([id, those]) => ({ id, entries: parentsFirst(those) }))
}

/** The name of a comment in messages. */
export const nameOf = ({ articleId, ref }: Entry): string => `${articleId} #${ref}`

const toEntry = (line: string, number: number): Entry => {
  const fail = (what: string): never => {
    throw new Error(`Line ${number}: ${what}`)
  }
  const { article_id: articleId, ref, parent_ref: parent, ...rest } = parse(line, fail)
  const { author_name: name, author_url: url = null, body } = rest
  if (typeof articleId !== 'string' || articleId === '') return fail('article_id must be a text')
  // HTTP clients resolve these ids as path segments.
  if (articleId === '.' || articleId === '..') return fail(`${articleId} cannot be in an address`)
  if (typeof name !== 'string' || typeof body !== 'string')
    return fail('author_name and body must be texts')
  if (url !== null && typeof url !== 'string') return fail('author_url must be a text or null')
  const parentRef = parent === null || parent === undefined ? null : toRef(parent, fail)
  return { articleId, ref: toRef(ref, fail), parentRef, name, url, body }
}

const parse = (line: string, fail: (what: string) => never): Line => {
  try {
    return JSON.parse(line)
  } catch {
    return fail('is not JSON')
  }
}

const toRef = (ref: unknown, fail: (what: string) => never): string =>
  typeof ref === 'number' || typeof ref === 'string'
    ? String(ref)
    : fail('ref and parent_ref must be numbers or texts')

const parentsFirst = (entries: readonly Entry[]): Entry[] => {
  const placed = new Map<string, Entry>()
  let waiting = entries
  while (waiting.length > 0) {
    const before = placed.size
    waiting = waiting.filter((entry) => {
      if (placed.has(entry.ref)) throw new Error(`${nameOf(entry)} is there twice`)
      if (entry.parentRef !== null && !placed.has(entry.parentRef)) return true
      placed.set(entry.ref, entry)
      return false
    })
    if (placed.size === before)
      throw new Error(`${nameOf(waiting[0]!)} replies to what is not there`)
  }
  return [...placed.values()]
}
