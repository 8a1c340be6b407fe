import { unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { type Orphan, orderComments } from '../../domain/importing/order.ts'
import type { AuthorOfRecord, CommentRecord, ThreadRecord } from '../../domain/importing/records.ts'

/** A comment of the file in the order of the import: after its parent. */
export type StagedComment = Omit<CommentRecord, 'kind'> & {
  /** Counts the authors of the file from 1. */
  readonly authorNumber: number
  /** Whether the parent is in the file, before this comment. Otherwise an earlier import may have stored it. */
  readonly isParentInFile: boolean
  readonly orphan: Orphan | null
}

export type StagedThread = Omit<ThreadRecord, 'kind'> & {
  /** Counts the threads of the file from 1. */
  readonly number: number
}

/** Comments of one thread. A thread with many comments comes in several parts. */
export type StagedPart = {
  readonly thread: StagedThread
  readonly comments: readonly StagedComment[]
}

export type Staging = {
  readonly addThread: (thread: Omit<ThreadRecord, 'kind'>) => void
  readonly addComment: (comment: CommentRecord) => void
  /** A line of an export of this service. */
  readonly addLine: (text: string) => void
  /** Ends the adding. @returns how many comments there are, and the ids that the file has twice */
  readonly finish: () => {
    comments: number
    records: number
    duplicates: number
    duplicateIds: string[]
  }
  /** The parts of all threads, thread by thread. */
  readonly parts: () => Generator<StagedPart>
  readonly lines: () => Generator<readonly string[]>
}

const MAX_LISTED = 1_000
/** In pages of 4 kB: what SQLite keeps in memory. */
const CACHE_PAGES = 2_000

const SCHEMA = `
  pragma journal_mode = memory; pragma synchronous = off; pragma locking_mode = exclusive;
  pragma temp_store = file; pragma cache_size = ${CACHE_PAGES};
  create table threads (
    n integer primary key, key text not null unique, address text, title text, is_closed int not null default 0);
  create table authors (n integer primary key, key text not null unique);
  create table lines (n integer primary key, text text not null);
  create table comments (
    n integer primary key, id text not null, thread int not null, parent text, at int not null,
    record text not null);
  begin`

const INDEXES = `
  create index comments_id on comments (id, n);
  create index comments_thread on comments (thread, at, n)`

/**
 * Keeps the comments of a file on disk until all are read: a file can have replies before their parents, and the
 * comments of one thread in many places. The memory does not grow with the file.
 */
export const openStaging = (folder: string, batchSize: number): Staging => {
  const path = join(folder, 'comments.sqlite')
  const db = new DatabaseSync(path)
  db.exec(SCHEMA)
  // The open file needs no name: a killed process leaves no comments behind.
  unlinkSync(path)
  const threadNumberOf = createNumbers(db, 'threads')
  const authorNumberOf = createNumbers(db, 'authors')
  const putThread = db.prepare(`
    insert into threads (key, address, title, is_closed) values (?, ?, ?, ?)
    on conflict (key) do update set address = excluded.address, is_closed = excluded.is_closed,
      title = coalesce(excluded.title, title)`)
  const putComment = db.prepare(
    'insert into comments (id, thread, parent, at, record) values (?, ?, ?, ?, ?)',
  )
  const putLine = db.prepare('insert into lines (text) values (?)')
  return {
    addThread: ({ key, address, title, isClosed }) =>
      void putThread.run(key, address, title, Number(isClosed)),
    addComment: (comment) => {
      const { id, threadKey, parentId, createdAt, author } = comment
      const record = { ...comment, authorNumber: authorNumberOf(authorKeyOf(author)) }
      const at = Date.parse(createdAt)
      putComment.run(id, threadNumberOf(threadKey), parentId, at, JSON.stringify(record))
    },
    addLine: (text) => void putLine.run(text),
    finish: () => finish(db),
    parts: () => listParts(db, batchSize),
    lines: () => listLines(db, batchSize),
  }
}

const MAX_KNOWN = 10_000

/** Names an author within the file. */
export const authorKeyOf = ({ key, name, email, url }: AuthorOfRecord): string =>
  key ?? [name, email, url].join('\n')

/** The numbers of threads or authors by their keys. The latest are kept in memory. */
const createNumbers = (db: DatabaseSync, table: 'threads' | 'authors') => {
  const find = db.prepare(`select n from ${table} where key = ?`)
  const insert = db.prepare(`insert into ${table} (key) values (?)`)
  const known = new Map<string, number>()
  return (key: string): number => {
    const kept = known.get(key)
    if (kept !== undefined) return kept
    if (known.size >= MAX_KNOWN) known.clear()
    const found = find.get(key)?.n ?? insert.run(key).lastInsertRowid
    known.set(key, Number(found))
    return Number(found)
  }
}

/** Of comments with one id, the first stays. */
const finish = (db: DatabaseSync) => {
  db.exec(INDEXES)
  const later = `
    select n, id from comments c
    where n > (select min(n) from comments d where d.id = c.id)`
  const twice = db.prepare(
    'select count(*) as n from (select id from comments group by id having count(*) > 1)',
  )
  const hasDuplicates = Number(twice.get()!.n) > 0
  const duplicateIds = hasDuplicates
    ? db
        .prepare(`${later} order by n limit ${MAX_LISTED}`)
        .all()
        .map(({ id }) => String(id))
    : []
  const duplicates = hasDuplicates
    ? Number(db.prepare(`delete from comments where n in (select n from (${later}))`).run().changes)
    : 0
  db.exec('commit')
  const count = (table: string) => Number(db.prepare(`select count(*) as n from ${table}`).get()!.n)
  const comments = count('comments')
  return {
    comments,
    records: comments + count('lines'),
    duplicates,
    duplicateIds,
  }
}

/** In the order of the file. */
function* listParts(db: DatabaseSync, batchSize: number): Generator<StagedPart> {
  const threads = db.prepare(
    'select n, key, address, title, is_closed from threads where n > ? order by n limit 1',
  )
  const statements = {
    list: db.prepare(`
      select c.n, p.n as parent, c.parent is not null as has_parent
      from comments c left join comments p on p.id = c.parent and p.thread = c.thread
      where c.thread = ? order by c.at, c.n`),
    get: db.prepare('select parent, record from comments where n = ?'),
  }
  for (let row = threads.get(0); row; row = threads.get(row.n as number)) {
    const { n, key, title } = row as { n: number; key: string; title: string | null }
    const address = row.address as string | null
    const thread = { number: n, key, address: address ?? key, title, isClosed: row.is_closed === 1 }
    yield* listPartsOf(statements, thread, batchSize)
  }
}

function* listLines(db: DatabaseSync, batchSize: number): Generator<readonly string[]> {
  const list = db.prepare('select n, text from lines where n > ? order by n limit ?')
  for (let after = 0; ; ) {
    const rows = list.all(after, batchSize) as { n: number; text: string }[]
    if (rows.length === 0) return
    yield rows.map(({ text }) => text)
    after = rows.at(-1)!.n
  }
}

type Statements = { readonly list: StatementSync; readonly get: StatementSync }

function* listPartsOf(
  { list, get }: Statements,
  thread: StagedThread,
  batchSize: number,
): Generator<StagedPart> {
  const nodes = list.all(thread.number).map((row) => ({
    n: row.n as number,
    parent: row.parent as number | null,
    hasParent: row.has_parent === 1,
  }))
  const ordered = orderComments(nodes)
  for (let start = 0; start < ordered.length; start += batchSize) {
    const comments = ordered
      .slice(start, start + batchSize)
      .map(({ n, orphan, isParentInFile }) => {
        const { parent, record } = get.get(n) as { parent: string | null; record: string }
        return {
          ...JSON.parse(record),
          parentId: orphan === 'cycle' ? null : parent,
          isParentInFile,
          orphan,
        } as StagedComment
      })
    yield { thread, comments }
  }
}
