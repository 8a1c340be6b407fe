import { parse } from 'csv-parse'
import type { CommentRecord } from '../../domain/importing/records.ts'
import type { Instant } from '../../domain/instant.ts'
import { markdownBody } from './bodies.ts'
import { sayComment } from './comments.ts'
import { instantOfText } from './dates.ts'
import { createOrigin, type Emit, type TextReader } from './reader.ts'
import * as rows from './rows.ts'
import { createThreads } from './threads.ts'
import { UnreadableFile } from './unreadable-file.ts'

const MAX_RECORD_LENGTH = 1_048_576

/** The names that a column may have. Coral's own export of a member's comments has the first of each. */
const COLUMNS: Readonly<Record<string, readonly string[]>> = {
  id: ['comment id', 'id'],
  createdAt: [
    'published timestamp',
    'published timestamp (utc)',
    'timestamp',
    'created at',
    'created_at',
  ],
  url: ['article url', 'story url', 'url'],
  title: ['article title', 'story title', 'title'],
  text: ['comment text', 'body', 'text', 'comment'],
  media: ['media'],
  parentId: ['parent id', 'parent comment id', 'parent_id'],
  authorId: ['author id', 'user id', 'author_id'],
  author: ['author', 'username', 'author username', 'user'],
  email: ['author email', 'email'],
  status: ['status'],
}
const STATUSES: Readonly<Record<string, CommentRecord['status']>> = {
  '': 'approved',
  none: 'approved',
  approved: 'approved',
  premod: 'pending',
  system_withheld: 'pending',
  rejected: 'rejected',
}

/** Reads the CSV that Coral writes of comments. */
export const createCoralReader = (emit: Emit): TextReader => {
  const say = createOrigin(emit)
  const sayThread = createThreads(emit)
  let names: readonly string[] = []

  const take = (comment: rows.Row, line: number): void => {
    const url = rows.textIn(comment, 'url')
    say(`coral:${URL.parse(url)?.host ?? ''}`)
    const text = [rows.bodyIn(comment, 'text'), mediaOf(rows.textIn(comment, 'media'))]
    const isSaid = sayComment(
      {
        id: rows.textIn(comment, 'id'),
        threadKey: url,
        parentId: rows.textOrNull(comment, 'parentId'),
        author: {
          key: rows.textOrNull(comment, 'authorId'),
          name: rows.textIn(comment, 'author'),
          email: rows.textOrNull(comment, 'email'),
          url: null,
        },
        createdAt: instantOfCoral(rows.textIn(comment, 'createdAt')),
        status: STATUSES[rows.textIn(comment, 'status').toLowerCase()] ?? 'pending',
        body: markdownBody(text.filter((one) => one !== '').join('\n\n')),
      },
      line,
      emit,
    )
    if (isSaid)
      sayThread({
        key: url,
        address: url,
        title: rows.textOrNull(comment, 'title'),
        isClosed: false,
      })
  }
  const parser = createCsvParser()
  const feed = (bytes: Buffer | undefined): void => {
    const fault = parser.parse(
      bytes,
      bytes === undefined,
      ({ record, info }) => {
        if (names.length === 0) names = record.map(nameOfColumn)
        else
          take(Object.fromEntries(record.map((value, index) => [names[index]!, value])), info.lines)
      },
      () => {},
    )
    if (fault) throw new UnreadableFile('The file is not valid CSV here.', parser.info.lines, null)
  }
  return {
    write: (text) => feed(Buffer.from(text)),
    end: () => {
      feed(undefined)
      say('coral:')
    },
  }
}

type CsvRecord = { readonly record: string[]; readonly info: { readonly lines: number } }
type CsvParser = {
  readonly info: { readonly lines: number }
  readonly parse: (
    bytes: Buffer | undefined,
    isEnd: boolean,
    take: (record: CsvRecord) => void,
    close: () => void,
  ) => Error | undefined
}

/** The parser inside the stream of csv-parse: it hands over records as it reads them, not later. */
const createCsvParser = (): CsvParser => {
  const stream = parse({
    bom: true,
    info: true,
    max_record_size: MAX_RECORD_LENGTH,
    relax_column_count: true,
    skip_empty_lines: true,
  })
  return (stream as unknown as { readonly api: CsvParser }).api
}

const nameOfColumn = (title: string): string => {
  const wanted = title.trim().toLowerCase()
  return Object.keys(COLUMNS).find((name) => COLUMNS[name]!.includes(wanted)) ?? `(${wanted})`
}

/** `giphy: https://…` becomes the URL, which shows as a link. */
const mediaOf = (media: string): string => /https?:\S+/.exec(media)?.[0] ?? ''

const LOCAL = /^(\d{1,4})([/.])(\d{1,2})\2(\d{1,4}),? +(\d{1,2}):(\d\d):(\d\d)$/

/** Coral writes dates in the way of the site's language: `11/23/2026, 14:05:09` or `23.11.2026, 14:05:09`. */
const instantOfCoral = (text: string): Instant | null => {
  const found = LOCAL.exec(text)
  if (!found) return instantOfText(text)
  const [, first, separator, second, year, hour, minute, seconds] = found
  const isDayFirst = separator === '.' || Number(first) > 12
  const [month, day] = isDayFirst ? [second!, first!] : [first!, second!]
  const two = (part: string): string => part.padStart(2, '0')
  const time = `${two(hour === '24' ? '0' : hour!)}:${minute}:${seconds}`
  return instantOfText(`${year}-${two(month)}-${two(day)} ${time}`)
}
