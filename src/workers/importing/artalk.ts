import { htmlToText } from '../../domain/importing/html-to-markdown.ts'
import { eitherBody } from './bodies.ts'
import { sayComment } from './comments.ts'
import { createJsonReader } from './json.ts'
import { createOrigin, type Emit, type TextReader } from './reader.ts'
import * as rows from './rows.ts'
import { createThreads } from './threads.ts'

/** Reads Artrans, the JSON in which Artalk exports comments and takes those of other systems. */
export const createArtalkReader = (emit: Emit): TextReader => {
  const say = createOrigin(emit)
  const sayThread = createThreads(emit)
  let count = 0

  const take = (comment: rows.Row): void => {
    count++
    const key = rows.textIn(comment, 'page_key')
    const parent = rows.textIn(comment, 'rid')
    say(`artalk:${rows.textIn(comment, 'site_name')}`)
    const isSaid = sayComment(
      {
        id: rows.textIn(comment, 'id'),
        threadKey: key,
        parentId: parent === '' || parent === '0' ? null : parent,
        author: {
          key: null,
          name: htmlToText(rows.textIn(comment, 'nick')),
          email: rows.textOrNull(comment, 'email'),
          url: rows.textOrNull(comment, 'link'),
        },
        createdAt: rows.instantIn(comment, 'created_at'),
        status: rows.flagIn(comment, 'is_pending') ? 'pending' : 'approved',
        body: eitherBody(rows.bodyIn(comment, 'content')),
        upvotes: rows.countIn(comment, 'vote_up'),
        downvotes: rows.countIn(comment, 'vote_down'),
        isPinned: rows.flagIn(comment, 'is_pinned'),
        address: rows.addressIn(comment, 'ip'),
      },
      count,
      emit,
    )
    if (isSaid)
      sayThread({
        key,
        address: key,
        title: rows.textOrNull(comment, 'page_title'),
        isClosed: rows.flagIn(comment, 'page_admin_only'),
      })
  }
  const json = createJsonReader({ paths: ['$.*'], take: ({ value }) => take(rows.rowOf(value)) })
  return {
    ...json,
    end: () => {
      json.end()
      say('artalk:')
    },
  }
}
