import { markdownBody } from './bodies.ts'
import { sayComment } from './comments.ts'
import { instantOfNumber } from './dates.ts'
import { createJsonReader } from './json.ts'
import { createOrigin, type Emit, type TextReader } from './reader.ts'
import * as rows from './rows.ts'
import { createThreads } from './threads.ts'

export const ISSO_STATUSES: Readonly<Record<string, 'approved' | 'pending' | 'deleted'>> = {
  '': 'approved',
  '1': 'approved',
  '2': 'pending',
  '4': 'deleted',
}

export const instantOfSeconds = (value: unknown) =>
  typeof value === 'number' ? instantOfNumber(Math.round(value * 1_000)) : null

/** Reads the generic JSON of Isso: threads with their comments. An id is unique within its thread only. */
export const createGenericReader = (emit: Emit): TextReader => {
  const say = createOrigin(emit)
  const sayThread = createThreads(emit)

  const takeComment = (comment: rows.Row, key: string, index: number): boolean => {
    const id = rows.textIn(comment, 'id')
    const parent = rows.textOrNull(comment, 'parent')
    return sayComment(
      {
        id: id && `${key}#${id}`,
        threadKey: key,
        parentId: parent && `${key}#${parent}`,
        author: {
          key: null,
          name: rows.textIn(comment, 'author'),
          email: rows.textOrNull(comment, 'email'),
          url: rows.textOrNull(comment, 'website'),
        },
        createdAt: instantOfSeconds(comment.created_epoch) ?? rows.instantIn(comment, 'created'),
        editedAt: instantOfSeconds(comment.modified_epoch),
        status: ISSO_STATUSES[rows.textIn(comment, 'mode')] ?? 'pending',
        body: markdownBody(rows.bodyIn(comment, 'text')),
        upvotes: rows.countIn(comment, 'likes'),
        downvotes: rows.countIn(comment, 'dislikes'),
        address: rows.addressIn(comment, 'remote_addr'),
      },
      index + 1,
      emit,
    )
  }
  const json = createJsonReader({
    paths: ['$.*'],
    take: ({ value }) => {
      say('generic')
      const thread = rows.rowOf(value)
      const key = rows.textIn(thread, 'id')
      const list = Array.isArray(thread.comments) ? thread.comments : []
      const said = list.map((one, index) => takeComment(rows.rowOf(one), key, index))
      if (said.includes(true))
        sayThread({ key, address: key, title: rows.textOrNull(thread, 'title'), isClosed: false })
    },
  })
  return {
    ...json,
    end: () => {
      json.end()
      say('generic')
    },
  }
}
