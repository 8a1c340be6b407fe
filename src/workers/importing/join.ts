import { DatabaseSync } from 'node:sqlite'
import { createJsonReader } from './json.ts'
import type { TextReader } from './reader.ts'
import * as rows from './rows.ts'

/** A temporary database on disk. SQLite deletes its file as soon as it is open. */
const TEMPORARY = ''

type Join = {
  /** The selector of each list that comments refer to, and the fields that may have the ids of its items. */
  readonly lists: Readonly<
    Record<string, { readonly path: string; readonly ids: readonly string[] }>
  >
  readonly comments: string
  /** Other values, such as the version of the file. */
  readonly others: readonly string[]
  readonly takeOther: (path: string, value: unknown, refuse: (sentence: string) => never) => void
  readonly takeComment: (
    comment: rows.Row,
    find: (list: string, id: string) => rows.Row,
    index: number,
  ) => void
}

/**
 * Reads a JSON document whose comments refer to lists that may come later. All rows wait in a temporary
 * database on disk, so that memory does not grow with the file.
 */
export const createJoinReader = (join: Join): TextReader => {
  const db = new DatabaseSync(TEMPORARY)
  db.exec(`pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -4096;
    create table items (list text, id text, json text, primary key (list, id)) without rowid;
    create table comments (json text); begin`)
  const insertItem = db.prepare('insert or replace into items (list, id, json) values (?, ?, ?)')
  const insertComment = db.prepare('insert into comments (json) values (?)')
  const listOf = new Map(Object.entries(join.lists).map(([name, { path }]) => [path, name]))

  const json = createJsonReader({
    paths: [...listOf.keys(), join.comments, ...join.others],
    take: ({ path, value }) => {
      const selector = `$.${path.map((key) => (typeof key === 'number' ? '*' : key)).join('.')}`
      const list = listOf.get(selector)
      if (list !== undefined) {
        const id = rows.textIn(rows.rowOf(value), ...join.lists[list]!.ids)
        if (id !== '') insertItem.run(list, id, JSON.stringify(value))
      } else if (selector === join.comments) insertComment.run(JSON.stringify(value))
      else join.takeOther(selector, value, json.refuse)
    },
  })
  const drain = function* (): Generator<void> {
    const findItem = db.prepare('select json from items where list = ? and id = ?')
    const find = (list: string, id: string): rows.Row => {
      const found = findItem.get(list, id)
      return found ? rows.rowOf(JSON.parse(String(found.json))) : {}
    }
    let index = 0
    for (const { json: text } of db.prepare('select json from comments order by rowid').iterate()) {
      index++
      join.takeComment(rows.rowOf(JSON.parse(String(text))), find, index)
      yield
    }
  }
  return { write: json.write, end: json.end, drain, close: () => db.close() }
}
