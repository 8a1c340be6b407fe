import type { CommentRecord } from '../../domain/importing/records.ts'
import { markdownBody } from './bodies.ts'
import { sayComment } from './comments.ts'
import { createJoinReader } from './join.ts'
import { createOrigin, type Emit, type TextReader } from './reader.ts'
import * as rows from './rows.ts'
import { createThreads } from './threads.ts'

const STATUSES: readonly CommentRecord['status'][] = [
  'approved',
  'pending',
  'spam',
  'rejected',
  'deleted',
]

/**
 * Reads the tables `posts`, `users` and `comments` of Garrul as JSON: an object with an array for each.
 * Garrul itself exports SQL only, so this form is an assumption.
 */
export const createGarrulReader = (emit: Emit): TextReader => {
  const say = createOrigin(emit)
  const sayThread = createThreads(emit)
  const reader = createJoinReader({
    lists: {
      posts: { path: '$.posts.*', ids: ['slug'] },
      users: { path: '$.users.*', ids: ['id'] },
    },
    comments: '$.comments.*',
    others: [],
    takeOther: () => {},
    takeComment: (comment, find, index) => {
      say('garrul')
      const key = rows.textIn(comment, 'post_slug')
      const post = find('posts', key)
      const user = find('users', rows.textIn(comment, 'user_id'))
      const status = STATUSES.find((one) => one === rows.textIn(comment, 'status')) ?? 'pending'
      const isSaid = sayComment(
        {
          id: rows.textIn(comment, 'id'),
          threadKey: key,
          parentId: rows.textOrNull(comment, 'parent_id'),
          author: {
            key: rows.textOrNull(comment, 'user_id'),
            name: rows.textIn(user, 'name'),
            email: rows.textOrNull(user, 'email'),
            url: null,
          },
          createdAt: rows.instantIn(comment, 'created_at'),
          editedAt: rows.instantIn(comment, 'edited_at'),
          status: rows.textIn(comment, 'deleted_at') === '' ? status : 'deleted',
          body: markdownBody(rows.bodyIn(comment, 'body_md')),
        },
        index,
        emit,
      )
      if (isSaid)
        sayThread({
          key,
          address: rows.textIn(post, 'url') || key,
          title: rows.textOrNull(post, 'title'),
          isClosed: false,
        })
    },
  })
  const drain = function* (): Generator<void> {
    yield* reader.drain!()
    say('garrul')
  }
  return { ...reader, drain }
}
