import { isObject } from '../../domain/exporting/fields.ts'
import type { IdKind, PublicIds } from '../../domain/public-id.ts'
import { CHANGED_KINDS, type RecordAction, SUBJECT_KINDS } from '../../domain/record-ids.ts'
import { storedCommentId, storedId } from '../../domain/stored-id.ts'
import type { Db } from '../../postgres/connection/db.ts'
import {
  filterAuthors,
  filterRecords,
  findOwnComments,
  findRestoredAuthors,
  findRestoredComments,
  findRestoredRecords,
  type RestoredComment,
} from '../../postgres/importing/restored-ids.ts'
import { isRecordKind, RECORD_KINDS, type RecordKind } from '../exporting/names.ts'

/** The rows here that ids of an export name. */
export type RestoredNames = {
  readonly authors: Map<string, number>
  readonly comments: Map<string, RestoredComment>
  readonly records: Readonly<Record<RecordKind, Map<string, number>>>
  /** The key or author as records here store it. An author or key that is not here keeps its public id. */
  readonly doer: (exported: string) => string
  readonly subject: (decision: { action: string; subject: string | null }) => string | null
  readonly changed: (fields: unknown) => object | null
}

export type Source = {
  readonly siteId: number
  readonly originId: number
  readonly ids: PublicIds
  /** Whether the ids of the export are also those of this site. */
  readonly isOwn: boolean
}

/** An id in a line is a letter and 22 characters. */
const ID = /^[a-z][\w-]{22}$/

/** Finds the rows of all ids that lines name. */
export const findNames = async (
  db: Db,
  source: Source,
  lines: readonly object[],
): Promise<RestoredNames> => {
  const ids = [...collectIds(lines)]
  const authors = await findAuthors(db, source, ofLetter(ids, 'a'))
  const comments = await findComments(db, source, ofLetter(ids, 'c'))
  const records = {} as Record<RecordKind, Map<string, number>>
  for (const kind of RECORD_KINDS) records[kind] = await findRecords(db, source, kind, ids)
  return createRestoredNames(source, { authors, comments, records })
}

const ofLetter = (ids: readonly string[], letter: string) =>
  ids.filter((id) => id.startsWith(letter))

/** All texts of lines that look like ids, in facts and in changed fields too. */
const collectIds = (value: unknown, found = new Set<string>()): Set<string> => {
  if (typeof value === 'string') {
    if (ID.test(value)) found.add(value)
  } else if (typeof value === 'object' && value !== null)
    for (const one of Object.values(value)) collectIds(one, found)
  return found
}

const findAuthors = async (db: Db, source: Source, ids: readonly string[]) => {
  const found = new Map<string, number>()
  if (ids.length === 0) return found
  for (const { sourceId, id } of await findRestoredAuthors(db, { ...source, sourceIds: ids }))
    found.set(sourceId, id)
  const own = ownIds(source, 'author', ids, found)
  const existing = new Set(
    own.size > 0 ? await filterAuthors(db, source.siteId, [...own.values()]) : [],
  )
  for (const [text, id] of own) if (existing.has(id)) found.set(text, id)
  return found
}

const findRecords = async (db: Db, source: Source, kind: RecordKind, all: readonly string[]) => {
  const found = new Map<string, number>()
  const ids = ofLetter(all, LETTER_OF[kind])
  if (ids.length === 0) return found
  for (const { sourceId, id } of await findRestoredRecords(db, { ...source, kind, sourceIds: ids }))
    found.set(sourceId, id)
  const own = ownIds(source, kind, ids, found)
  const existing =
    own.size > 0 ? await filterRecords(db, source.siteId, { kind, ids: [...own.values()] }) : []
  for (const [text, id] of own) if (existing.includes(id)) found.set(text, id)
  return found
}

const LETTER_OF: Readonly<Record<RecordKind, string>> = {
  ban: 'x',
  batch: 'b',
  decision: 'd',
  appeal: 'p',
  note: 'n',
  reason: 'r',
}

/** The public ids of this site among ids that no import remembers. */
const ownIds = (
  { ids, isOwn }: Source,
  kind: IdKind,
  texts: readonly string[],
  found: ReadonlyMap<string, number>,
): Map<string, number> => {
  const own = new Map<string, number>()
  if (!isOwn) return own
  for (const text of texts) {
    const id = found.has(text) ? undefined : ids.read(kind, text)
    if (id !== undefined) own.set(text, id)
  }
  return own
}

const findComments = async (db: Db, source: Source, ids: readonly string[]) => {
  const found = new Map<string, RestoredComment>()
  if (ids.length === 0) return found
  for (const { sourceId, ...comment } of await findRestoredComments(db, {
    ...source,
    sourceIds: ids,
  }))
    found.set(sourceId, comment)
  if (!source.isOwn) return found
  const keys = ids.flatMap((id) => (found.has(id) ? [] : (source.ids.readComment(id) ?? [])))
  if (keys.length > 0)
    for (const comment of await findOwnComments(db, source.siteId, keys))
      found.set(source.ids.writeComment(comment), comment)
  return found
}

const createRestoredNames = (
  { ids, isOwn }: Source,
  maps: Pick<RestoredNames, 'authors' | 'comments' | 'records'>,
): RestoredNames => {
  const named = (kind: IdKind | 'comment', exported: string): string => {
    if (kind === 'comment') {
      const comment = maps.comments.get(exported)
      return comment ? storedCommentId(comment) : exported
    }
    const id =
      kind === 'author'
        ? maps.authors.get(exported)
        : isRecordKind(kind)
          ? maps.records[kind].get(exported)
          : isOwn
            ? ids.read(kind, exported)
            : undefined
    return id === undefined ? exported : storedId(kind, id)
  }
  return {
    ...maps,
    doer: (exported) => named(exported.startsWith('a') ? 'author' : 'key', exported),
    subject: ({ action, subject }) => {
      const kind = SUBJECT_KINDS[action as RecordAction]
      return kind && subject !== null ? named(kind, subject) : subject
    },
    changed: (fields) => {
      if (!isObject(fields)) return null
      const entries = Object.entries(fields).map(([name, value]) => {
        const kind = CHANGED_KINDS[name]
        return [name, kind && typeof value === 'string' ? named(kind, value) : value]
      })
      return Object.fromEntries(entries)
    },
  }
}
