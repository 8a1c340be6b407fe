import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ImportFormat, ImportRecord } from '../../domain/importing/records.ts'
import { markdownBody } from './bodies.ts'
import { sayComment } from './comments.ts'
import { createCusdisRows } from './cusdis.ts'
import { ISSO_STATUSES, instantOfSeconds } from './generic.ts'
import { createOrigin, type Emit } from './reader.ts'
import * as rows from './rows.ts'
import { createThreads } from './threads.ts'
import type { Bytes } from './unpack.ts'
import { UnreadableFile } from './unreadable-file.ts'
import { createValineRows } from './valine.ts'

const BATCH_LENGTH = 500
const MAGIC = 'SQLite format 3\0'

export const isSqlite = (head: Uint8Array): boolean =>
  Buffer.from(head.subarray(0, MAGIC.length)).toString('latin1') === MAGIC

/** The system whose tables a database has, as its first pages say. */
export const formatOfSqlite = (head: Uint8Array): ImportFormat => {
  const text = Buffer.from(head).toString('latin1')
  if (/create table[^(]{0,20}wl_comment/i.test(text)) return 'waline'
  if (text.includes('by_nickname')) return 'cusdis'
  if (/create table[^(]{0,20}comments/i.test(text) && text.includes('voters')) return 'isso'
  throw new UnreadableFile('The SQLite database is none of Isso, Waline or Cusdis.')
}

/** Reads a database of Isso, Waline or Cusdis. Its file waits on disk and is removed in any case. */
export const readSqlite = async function* (
  format: ImportFormat,
  bytes: Bytes,
): AsyncGenerator<readonly ImportRecord[]> {
  const folder = await mkdtemp(join(tmpdir(), 'afterword-import-'))
  try {
    const path = join(folder, 'import.db')
    await pipeline(Readable.from(bytes), createWriteStream(path))
    const db = new DatabaseSync(path, { readOnly: true })
    try {
      yield* batchesOf(format, db)
    } finally {
      db.close()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const batchesOf = function* (
  format: ImportFormat,
  db: DatabaseSync,
): Generator<readonly ImportRecord[]> {
  let records: ImportRecord[] = []
  try {
    for (const _ of stepsOf(format, db, (record) => records.push(record))) {
      if (records.length < BATCH_LENGTH - 2) continue
      yield records
      records = []
    }
  } catch (error) {
    throw isSqliteError(error)
      ? new UnreadableFile(`The SQLite database is damaged or cut off: ${error.message}.`)
      : error
  }
  yield records
}

const isSqliteError = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && error.code === 'ERR_SQLITE_ERROR'

const stepsOf = (format: ImportFormat, db: DatabaseSync, emit: Emit): Iterable<void> => {
  if (format === 'isso') return readIsso(db, emit)
  if (format === 'waline') return readWaline(db, emit)
  if (format === 'cusdis') return readCusdis(db, emit)
  throw new UnreadableFile('The file is a SQLite database, which this format is not.')
}

const ISSO_COLUMNS =
  'c.id c.parent c.created c.modified c.mode c.remote_addr c.text c.author c.email c.website c.likes c.dislikes'

/** Reads the comments of Isso. Its older tables have fewer columns, and the newest count votes in a table of their own. */
const readIsso = function* (db: DatabaseSync, emit: Emit): Generator<void> {
  const say = createOrigin(emit)
  const sayThread = createThreads(emit)
  say('isso')
  const columns = db
    .prepare('pragma table_info(comments)')
    .all()
    .map(({ name }) => String(name))
  const selected = ISSO_COLUMNS.split(' ').filter((name) => columns.includes(name.slice(2)))
  const statement = db.prepare(
    `select ${selected.join(', ')}, c.rowid as line, t.uri, t.title from comments c left join threads t on t.id = c.tid order by c.id`,
  )
  for (const comment of statement.iterate()) {
    const key = rows.textIn(comment, 'uri')
    const isSaid = sayComment(
      {
        id: rows.textIn(comment, 'id'),
        threadKey: key,
        parentId: rows.textOrNull(comment, 'parent'),
        author: {
          key: null,
          name: rows.textIn(comment, 'author'),
          email: rows.textOrNull(comment, 'email'),
          url: rows.textOrNull(comment, 'website'),
        },
        createdAt: instantOfSeconds(comment.created),
        editedAt: instantOfSeconds(comment.modified),
        status: ISSO_STATUSES[rows.textIn(comment, 'mode')] ?? 'pending',
        body: markdownBody(rows.bodyIn(comment, 'text')),
        upvotes: rows.countIn(comment, 'likes'),
        downvotes: rows.countIn(comment, 'dislikes'),
        address: rows.addressIn(comment, 'remote_addr'),
      },
      Number(comment.line),
      emit,
    )
    if (isSaid)
      sayThread({ key, address: key, title: rows.textOrNull(comment, 'title'), isClosed: false })
    yield
  }
}

const readWaline = function* (db: DatabaseSync, emit: Emit): Generator<void> {
  const take = createValineRows('waline', emit)
  for (const comment of db.prepare('select * from wl_Comment order by id').iterate()) {
    take.row(comment)
    yield
  }
  take.end()
}

const readCusdis = function* (db: DatabaseSync, emit: Emit): Generator<void> {
  const take = createCusdisRows(emit)
  const statement = db.prepare(
    'select c.*, p.id as page_id, p.slug, p.url, p.title from comments c left join pages p on p.id = c.pageId order by c.created_at, c.id',
  )
  let count = 0
  for (const row of statement.iterate()) {
    take(row, { id: row.page_id, slug: row.slug, url: row.url, title: row.title }, ++count)
    yield
  }
  take.end()
}
