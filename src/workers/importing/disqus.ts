import type { Status } from '../../domain/comment/status.ts'
import { htmlToText } from '../../domain/importing/html-to-markdown.ts'
import type { SkipReason } from '../../domain/importing/records.ts'
import { htmlBody } from './bodies.ts'
import { instantOfText } from './dates.ts'
import { createOrigin, type Emit, type TextReader } from './reader.ts'
import { createXmlReader } from './xml.ts'

type Fields = Record<string, string>

const OPEN = 'disqus'
const ENTRY_DEPTH = 2

/** Reads the XML that Disqus exports. */
export const createDisqusReader = (emit: Emit): TextReader => {
  let entry: Fields = {}
  let entryLine = 0
  const sayOrigin = createOrigin(emit)
  /** Threads that Disqus has deleted. */
  const deleted = new Set<string>()
  const known = new Set<string>()

  const takeThread = (): void => {
    const key = entry.key || entry.id || ''
    if (key === '') return
    sayOrigin(`disqus:${entry.forum ?? ''}`)
    known.add(key)
    if (entry.isDeleted === 'true') deleted.add(key)
    emit({
      kind: 'thread',
      key,
      address: entry.link || entry.id || '',
      title: htmlToText(entry.title ?? '') || null,
      isClosed: entry.isClosed === 'true',
    })
  }
  const takePost = (): void => {
    sayOrigin(`disqus:${entry.forum ?? ''}`)
    entry.key ||= entry.id ? `id:${entry.id}` : ''
    const skipped = known.has(entry.thread ?? '') ? sayPost(entry, deleted, emit) : 'no_thread'
    if (skipped) emit({ kind: 'skip', reason: skipped, id: entry.key || `line ${entryLine}` })
  }

  const xml = createXmlReader({
    repair: emit,
    isTextWanted: (path) => path.length > ENTRY_DEPTH,
    open: (path, attributes) => {
      if (path.length === 1 && path[0] !== OPEN) xml.refuse('The root element is not disqus.')
      const id = attributes['dsq:id'] ?? ''
      if (path.length === ENTRY_DEPTH) {
        entry = { key: id }
        entryLine = xml.line()
      } else if (path.length === ENTRY_DEPTH + 1 && path[1] === 'post') {
        const name = path[ENTRY_DEPTH]!
        if (name === 'thread' || name === 'parent') entry[name] = id
      }
    },
    close: (path, text) => {
      if (path.length > ENTRY_DEPTH) {
        const name = path.slice(ENTRY_DEPTH).join('.')
        if (name !== 'thread' && name !== 'parent') entry[name] = text.trim()
      } else if (path.length === ENTRY_DEPTH) {
        if (path[1] === 'category') sayOrigin(`disqus:${entry.forum ?? ''}`)
        if (path[1] === 'thread') takeThread()
        if (path[1] === 'post') takePost()
      } else sayOrigin('disqus:')
    },
  })
  return xml
}

const statusOf = (post: Fields, isThreadDeleted: boolean): Status => {
  if (post.isDeleted === 'true' || isThreadDeleted) return 'deleted'
  if (post.isSpam === 'true') return 'spam'
  return post.isApproved === 'false' ? 'pending' : 'approved'
}

/** Hands over a post, or returns the reason why it is none. */
const sayPost = (
  post: Fields,
  deleted: ReadonlySet<string>,
  emit: Emit,
): SkipReason | undefined => {
  if (!post.key) return 'no_id'
  const createdAt = instantOfText(post.createdAt ?? '')
  if (createdAt === null) return 'bad_date'
  const status = statusOf(post, deleted.has(post.thread!))
  const { body, original } = htmlBody(post.message ?? '')
  if (body === '' && status !== 'deleted') return 'empty'
  emit({
    kind: 'comment',
    id: post.key,
    threadKey: post.thread!,
    parentId: post.parent || null,
    author: {
      key: post['author.username'] || null,
      name: htmlToText(post['author.name'] ?? ''),
      email: post['author.email'] || null,
      url: null,
    },
    createdAt,
    editedAt: null,
    status,
    body,
    original,
    upvotes: 0,
    downvotes: 0,
    isPinned: false,
    address: post.ipAddress || null,
  })
  return undefined
}
