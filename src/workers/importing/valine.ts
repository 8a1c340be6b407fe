import { htmlToText } from '../../domain/importing/html-to-markdown.ts'
import type { CommentRecord } from '../../domain/importing/records.ts'
import { eitherBody } from './bodies.ts'
import { sayComment } from './comments.ts'
import { createJsonReader } from './json.ts'
import { createOrigin, type Emit, type TextReader } from './reader.ts'
import * as rows from './rows.ts'
import { createThreads } from './threads.ts'

type System = 'valine' | 'twikoo' | 'waline'

/** The export of LeanCloud begins with a line about itself. */
const HEADER = /^\ufeff?#[^\n]*\n/
/** Valine writes whom a reply addresses into its text. The parent says so already. */
const MENTION = /<a class="at" href="#[^"]*">@[^<]*<\/a>\s*[,，]?\s*/g

/** Reads the comments of Valine and Twikoo, as an array or one a line, and those of Waline. */
export const createValineReader =
  (system: System) =>
  (emit: Emit): TextReader => {
    const take = createValineRows(system, emit)
    let isStart = true
    let start = ''
    let json = createJsonReader({ paths: ['$'], take: () => {} })

    const begin = (text: string): void => {
      isStart = false
      const content = text.replace(HEADER, (line) => '\n'.repeat(line.endsWith('\n') ? 1 : 0))
      const isArray = content.trimStart().startsWith('[')
      const paths = system === 'waline' && !isArray ? ['$.data.Comment.*'] : [isArray ? '$.*' : '$']
      json = createJsonReader({ paths, take: ({ value }) => take.row(rows.rowOf(value)) })
      json.write(content)
    }
    return {
      write: (text) => {
        if (!isStart) {
          json.write(text)
          return
        }
        start += text
        if (start.trimStart() !== '' && (!start.startsWith('#') || start.includes('\n')))
          begin(start)
      },
      end: () => {
        if (isStart) begin(start)
        json.end()
        take.end()
      },
    }
  }

/** Hands over rows of the three systems, whose fields have the same names. */
export const createValineRows = (system: System, emit: Emit) => {
  const say = createOrigin(emit)
  const sayThread = createThreads(emit)
  let count = 0
  const row = (comment: rows.Row): void => {
    count++
    say(system)
    const key = rows.textIn(comment, 'url', 'href')
    const isSaid = sayComment({ ...foundOf(comment), threadKey: key }, count, emit)
    if (isSaid)
      sayThread({ key, address: rows.textIn(comment, 'href', 'url'), title: null, isClosed: false })
  }
  return { row, end: () => say(system) }
}

const foundOf = (comment: rows.Row) => ({
  id: rows.textIn(comment, 'objectId', '_id', 'id'),
  parentId: rows.textOrNull(comment, 'pid', 'rid'),
  author: {
    key: rows.textOrNull(comment, 'user_id'),
    name: htmlToText(rows.textIn(comment, 'nick')),
    email: rows.textOrNull(comment, 'mail'),
    url: rows.textOrNull(comment, 'link'),
  },
  createdAt: rows.instantIn(comment, 'createdAt', 'created', 'insertedAt'),
  status: statusOf(comment),
  body: eitherBody(rows.bodyIn(comment, 'comment').replace(MENTION, '')),
  upvotes: likesOf(comment),
  isPinned: rows.flagIn(comment, 'sticky') || rows.flagIn(comment, 'top'),
  address: rows.addressIn(comment, 'ip'),
})

/** The statuses of published comments: older rows have none. */
const PUBLISHED = new Set(['', 'approved'])

const statusOf = (comment: rows.Row): CommentRecord['status'] => {
  if (rows.flagIn(comment, 'isSpam')) return 'spam'
  const status = rows.textIn(comment, 'status')
  if (status === 'spam') return 'spam'
  return PUBLISHED.has(status) ? 'approved' : 'pending'
}

/** Waline counts the likes; Twikoo lists who gave them. */
const likesOf = (comment: rows.Row): number => {
  for (const list of [comment.like, comment.ups]) if (Array.isArray(list)) return list.length
  return rows.countIn(comment, 'like')
}
