import type { CommentRecord } from '../../domain/importing/records.ts'
import { type Body, htmlBody, markdownBody } from './bodies.ts'
import { sayComment } from './comments.ts'
import { createJoinReader } from './join.ts'
import { createOrigin, type Emit, type TextReader } from './reader.ts'
import * as rows from './rows.ts'
import { createThreads } from './threads.ts'

type System = 'commento' | 'comentario'
type Status = CommentRecord['status']

/** Reads the JSON that Commento 1, Comentario 2 (version 1) and Comentario 3 (version 3) export. */
export const createCommentoReader =
  (system: System) =>
  (emit: Emit): TextReader => {
    const say = createOrigin(emit)
    const sayThread = createThreads(emit)
    let version = 0
    const reader = createJoinReader({
      lists: {
        people: { path: '$.commenters.*', ids: ['commenterHex', 'id'] },
        pages: { path: '$.pages.*', ids: ['id'] },
      },
      comments: '$.comments.*',
      others: ['$.version'],
      takeOther: (_path, value, refuse) => {
        version = Number(value)
        const known = system === 'commento' ? [1] : [1, 3]
        if (!known.includes(version)) refuse(`Version ${String(value)} of ${system} is not known.`)
      },
      takeComment: (comment, find, index) => {
        const found = version === 3 ? foundOf3(comment, find) : foundOf1(comment, find)
        say(`${system}:${found.host}`)
        if (sayComment({ ...found.comment, threadKey: found.thread.key }, index, emit))
          sayThread(found.thread)
      },
    })
    const drain = function* (): Generator<void> {
      yield* reader.drain!()
      say(`${system}:`)
    }
    return { ...reader, drain }
  }

type Find = (list: string, id: string) => rows.Row

const bodyOf = (comment: rows.Row): Body => {
  const source = rows.bodyIn(comment, 'markdown')
  return source.trim() === '' ? htmlBody(rows.bodyIn(comment, 'html')) : markdownBody(source)
}

const STATUSES_OF_1: Readonly<Record<string, Status>> = {
  approved: 'approved',
  unapproved: 'pending',
  flagged: 'spam',
}

const foundOf1 = (comment: rows.Row, find: Find) => {
  const host = rows.textIn(comment, 'host', 'domain')
  const path = rows.textIn(comment, 'path', 'url')
  const address = /^https?:/.test(path) ? path : `https://${host}${path}`
  const key = rows.textIn(comment, 'commenterHex')
  const person = find('people', key)
  const parent = rows.textIn(comment, 'parentHex')
  return {
    host,
    thread: { key: address, address, title: null, isClosed: false },
    comment: {
      id: rows.textIn(comment, 'commentHex'),
      parentId: parent === '' || parent === 'root' ? null : parent,
      author: authorOf(person, key === 'anonymous' ? '' : key, ''),
      createdAt: rows.instantIn(comment, 'creationDate'),
      status: rows.flagIn(comment, 'deleted')
        ? ('deleted' as const)
        : (STATUSES_OF_1[rows.textIn(comment, 'state')] ?? 'pending'),
      body: bodyOf(comment),
      ...rows.votesOfScore(comment, 'score'),
    },
  }
}

const ANONYMOUS = '00000000-0000-0000-0000-000000000000'

const foundOf3 = (comment: rows.Row, find: Find) => {
  const page = find('pages', rows.textIn(comment, 'pageId'))
  const url = URL.parse(rows.textIn(comment, 'url'))
  const key = rows.textIn(comment, 'userCreated')
  const path = rows.textIn(page, 'path')
  const address = url ? `${url.origin}${url.pathname}${url.search}` : path
  return {
    host: url?.host ?? rows.textIn(page, 'domainId'),
    thread: {
      key: rows.textIn(comment, 'pageId'),
      address,
      title: rows.textOrNull(page, 'title'),
      isClosed: rows.flagIn(page, 'isReadonly'),
    },
    comment: {
      id: rows.textIn(comment, 'id'),
      parentId: rows.textOrNull(comment, 'parentId'),
      author: authorOf(
        find('people', key),
        key === ANONYMOUS ? '' : key,
        rows.textIn(comment, 'authorName'),
      ),
      createdAt: rows.instantIn(comment, 'createdTime'),
      editedAt: rows.instantIn(comment, 'editedTime'),
      status: statusOf3(comment),
      body: bodyOf(comment),
      ...rows.votesOfScore(comment, 'score'),
      isPinned: rows.flagIn(comment, 'isSticky'),
      address: rows.addressIn(comment, 'authorIp'),
    },
  }
}

const statusOf3 = (comment: rows.Row): Status => {
  if (rows.flagIn(comment, 'isDeleted')) return 'deleted'
  if (rows.flagIn(comment, 'isPending')) return 'pending'
  return rows.flagIn(comment, 'isApproved') ? 'approved' : 'rejected'
}

const authorOf = (person: rows.Row, key: string, name: string) => ({
  key: key === '' ? null : key,
  name: rows.textIn(person, 'name') || name,
  email: rows.textOrNull(person, 'email'),
  url: rows.textOrNull(person, 'link', 'websiteUrl'),
})
