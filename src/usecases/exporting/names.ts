import type { CommentKey, IdKind, PublicIds } from '../../domain/public-id.ts'
import { CHANGED_KINDS, type RecordAction, SUBJECT_KINDS } from '../../domain/record-ids.ts'
import { readStoredCommentId, readStoredId } from '../../domain/stored-id.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import {
  type Continued,
  findSourcesOfAuthors,
  findSourcesOfComments,
  findSourcesOfRecords,
  type SourceId,
} from '../../postgres/exporting/imported-ids.ts'

/** The kinds of rows whose ids an import remembers in `imported_records`. */
export const RECORD_KINDS = ['ban', 'batch', 'decision', 'appeal', 'note', 'reason'] as const
export type RecordKind = (typeof RECORD_KINDS)[number]

/**
 * The ids of rows in an export: the id that a row had in the site that this site continues, otherwise its own
 * public id. So an id survives every restoration.
 */
export type Names = {
  readonly author: (id: number) => string
  /** Ids of the same author that other authors had before their comments were reassigned. */
  readonly formerIds: (id: number) => readonly string[]
  readonly comment: (key: CommentKey) => string
  readonly record: (kind: RecordKind, id: number) => string
  /** The key or author that a stored id names; the name of a rule as it is. */
  readonly doer: (stored: string) => string
  readonly subject: (record: { action: string; subject: string | null }) => string | null
  /** The changed fields of a decision. */
  readonly changed: (fields: Readonly<Record<string, unknown>> | null) => object | null
}

type Sources = {
  readonly authors: ReadonlyMap<number, readonly string[]>
  readonly comments: ReadonlyMap<number, string>
  readonly records: ReadonlyMap<string, string>
}

const NO_SOURCES: Sources = { authors: new Map(), comments: new Map(), records: new Map() }

/** Writes a page of lines: their rows are presented once to learn which ids they name, and once with these ids. */
export const presentRows = async <Row>(
  {
    tx,
    siteId,
    ids,
    continued,
  }: { tx: Tx; siteId: number; ids: PublicIds; continued: Continued | undefined },
  rows: readonly Row[],
  present: (names: Names, row: Row) => object,
): Promise<object[]> => {
  if (!continued) return rows.map((row) => present(createNames(ids, NO_SOURCES), row))
  const wanted = createWanted()
  for (const row of rows) present(createNames(ids, wanted.sources), row)
  const sources = await wanted.find(tx, { siteId, originId: continued.originId })
  return rows.map((row) => present(createNames(ids, sources), row))
}

const createNames = (ids: PublicIds, sources: Sources): Names => {
  const author = (id: number) => sources.authors.get(id)?.[0] ?? ids.write('author', id)
  const comment = (key: CommentKey) => sources.comments.get(key.id) ?? ids.writeComment(key)
  const record = (kind: RecordKind, id: number) =>
    sources.records.get(`${kind} ${id}`) ?? ids.write(kind, id)
  const named = (kind: IdKind | 'comment', stored: string): string => {
    if (kind === 'comment') {
      const key = readStoredCommentId(stored)
      return key ? comment(key) : stored
    }
    const id = readStoredId(kind, stored)
    if (id === undefined) return stored
    if (kind === 'author') return author(id)
    return isRecordKind(kind) ? record(kind, id) : ids.write(kind, id)
  }
  return {
    author,
    formerIds: (id) => sources.authors.get(id)?.slice(1) ?? [],
    comment,
    record,
    doer: (stored) =>
      readStoredId('author', stored) === undefined ? named('key', stored) : named('author', stored),
    subject: ({ action, subject }) => {
      const kind = SUBJECT_KINDS[action as RecordAction]
      return kind && subject !== null ? named(kind, subject) : subject
    },
    changed: (fields) =>
      fields &&
      Object.fromEntries(
        Object.entries(fields).map(([name, value]) => {
          const kind = CHANGED_KINDS[name]
          return [name, kind && typeof value === 'string' ? named(kind, value) : value]
        }),
      ),
  }
}

export const isRecordKind = (kind: string): kind is RecordKind =>
  (RECORD_KINDS as readonly string[]).includes(kind)

/** Collects the ids that a page of rows names. */
const createWanted = () => {
  const authors = new Set<number>()
  const comments = new Set<number>()
  const records = new Set<string>()
  const sources: Sources = {
    authors: collecting(authors),
    comments: collecting(comments),
    records: collecting(records),
  }
  const find = async (
    tx: Tx,
    at: { readonly siteId: number; readonly originId: number },
  ): Promise<Sources> => {
    const foundAuthors = await findSourcesOfAuthors(tx, { ...at, ids: [...authors] })
    const foundComments = await findSourcesOfComments(tx, { ...at, ids: [...comments] })
    const foundRecords = new Map<string, string>()
    for (const kind of RECORD_KINDS) {
      const ids = idsOfKind(records, kind)
      if (ids.length === 0) continue
      for (const { id, sourceId } of await findSourcesOfRecords(tx, { ...at, kind, ids }))
        foundRecords.set(`${kind} ${id}`, sourceId)
    }
    return {
      authors: groupById(foundAuthors),
      comments: mapById(foundComments),
      records: foundRecords,
    }
  }
  return { sources, find }
}

const idsOfKind = (records: ReadonlySet<string>, kind: RecordKind): number[] =>
  [...records]
    .filter((key) => key.startsWith(`${kind} `))
    .map((key) => Number(key.slice(kind.length + 1)))

/** An empty map that notes each key that is looked up. */
const collecting = <K>(keys: Set<K>): ReadonlyMap<K, never> => {
  const map = new Map<K, never>()
  map.get = (key) => {
    keys.add(key)
    return undefined
  }
  return map
}

const mapById = (found: readonly SourceId[]): Map<number, string> =>
  new Map(found.map(({ id, sourceId }) => [id, sourceId]))

const groupById = (found: readonly SourceId[]): Map<number, string[]> => {
  const groups = new Map<number, string[]>()
  for (const { id, sourceId } of found) groups.set(id, [...(groups.get(id) ?? []), sourceId])
  return groups
}
