import { htmlToText } from '../../domain/importing/html-to-markdown.ts'
import { htmlBody, markdownBody } from './bodies.ts'
import { sayComment } from './comments.ts'
import { createJsonReader } from './json.ts'
import { createOrigin, type Emit, type TextReader } from './reader.ts'
import * as rows from './rows.ts'
import { createThreads } from './threads.ts'

const VERSION = 1

/** Reads a backup of Remark42: a line about the site, and a line for each comment. */
export const createRemark42Reader = (emit: Emit): TextReader => {
  const say = createOrigin(emit)
  const sayThread = createThreads(emit)
  const closed = new Set<string>()
  let lineCount = 0

  const takeMeta = (meta: rows.Row): void => {
    if (meta.version !== VERSION)
      json.refuse(`Version ${rows.textIn(meta, 'version')} of a backup of Remark42 is not known.`)
    const posts = Array.isArray(meta.posts) ? meta.posts : []
    for (const post of posts.map(rows.rowOf))
      if (rows.flagIn(post, 'read_only')) closed.add(rows.textIn(post, 'url'))
  }
  const takeComment = (comment: rows.Row): void => {
    const locator = rows.rowOf(comment.locator)
    const user = rows.rowOf(comment.user)
    const url = rows.textIn(locator, 'url')
    say(`remark42:${rows.textIn(locator, 'site')}`)
    const source = rows.bodyIn(comment, 'orig')
    const isSaid = sayComment(
      {
        id: rows.textIn(comment, 'id'),
        threadKey: url,
        parentId: rows.textOrNull(comment, 'pid'),
        author: {
          key: rows.textOrNull(user, 'id'),
          name: htmlToText(rows.textIn(user, 'name')),
          email: rows.textOrNull(user, 'email'),
          url: null,
        },
        createdAt: rows.instantIn(comment, 'time'),
        editedAt: rows.instantIn(rows.rowOf(comment.edit), 'time'),
        status: rows.flagIn(comment, 'delete') ? 'deleted' : 'approved',
        body: source ? markdownBody(source) : htmlBody(rows.bodyIn(comment, 'text')),
        ...votesOf(comment),
        isPinned: rows.flagIn(comment, 'pin'),
        address: rows.addressIn(user, 'ip'),
      },
      lineCount,
      emit,
    )
    const title = rows.textOrNull(comment, 'title')
    if (isSaid) sayThread({ key: url, address: url, title, isClosed: closed.has(url) })
  }
  const json = createJsonReader({
    paths: ['$'],
    take: ({ value }) => {
      lineCount++
      if (lineCount === 1) takeMeta(rows.rowOf(value))
      else takeComment(rows.rowOf(value))
    },
  })
  return {
    ...json,
    end: () => {
      json.end()
      say('remark42:')
    },
  }
}

/** Each vote of the file, or the score where it has no votes. */
const votesOf = (comment: rows.Row) => {
  const votes = Object.values(rows.rowOf(comment.votes))
  if (votes.length === 0) return rows.votesOfScore(comment, 'score')
  return {
    upvotes: votes.filter((vote) => vote === true).length,
    downvotes: votes.filter((vote) => vote === false).length,
  }
}
