import type { Status } from '../../domain/comment/status.ts'
import { htmlToText } from '../../domain/importing/html-to-markdown.ts'
import type { SkipReason, ThreadRecord } from '../../domain/importing/records.ts'
import type { Instant } from '../../domain/instant.ts'
import { brokenHtmlBody } from './bodies.ts'
import { instantOfText } from './dates.ts'
import { createOrigin, type Emit, type TextReader } from './reader.ts'
import { createXmlReader } from './xml.ts'

type Fields = Record<string, string>

const STATUSES: Readonly<Record<string, Status>> = {
  '1': 'approved',
  approve: 'approved',
  approved: 'approved',
  '0': 'pending',
  hold: 'pending',
  spam: 'spam',
  trash: 'deleted',
  'post-trashed': 'deleted',
}
const SKIPPED_TYPES: Readonly<Record<string, SkipReason>> = {
  pingback: 'pingback',
  trackback: 'trackback',
}
const COMMENT_TYPES = ['', 'comment', 'review']
const CHANNEL_FIELDS = ['link', 'base_site_url', 'base_blog_url']
const ITEM_FIELDS = [
  'title',
  'link',
  'guid',
  'post_id',
  'comment_status',
  'post_date_gmt',
  'post_date',
]
const ITEM_DEPTH = 3
const COMMENT_DEPTH = 4

/** Reads WXR 1.0, 1.1 and 1.2, in which WordPress exports a site. */
export const createWxrReader = (emit: Emit): TextReader => {
  const site: Fields = {}
  let item: Fields = {}
  let comment: Fields = {}
  let itemCount = 0
  const say = createOrigin(emit)
  let said = ''
  let commentLine = 0

  const sayOrigin = (): void => {
    const address = site.base_site_url || site.base_blog_url || site.link || ''
    say(`wordpress:${address.trim().replace(/\/+$/, '')}`)
  }
  const sayThread = (): void => {
    const thread = threadOf(item, itemCount)
    const text = JSON.stringify(thread)
    if (text === said) return
    said = text
    emit(thread)
  }
  const takeComment = (): void => {
    sayOrigin()
    const skipped = sayComment(
      comment,
      { threadKey: String(itemCount), articleDate: articleDate() },
      emit,
    )
    if (skipped)
      emit({
        kind: 'skip',
        reason: skipped,
        id: comment.comment_id?.trim() || `line ${commentLine}`,
      })
    else sayThread()
  }
  /** A comment without a date gets that of its article: better a wrong date than a lost comment. */
  const articleDate = (): Instant | null => {
    if (comment.comment_date_gmt || comment.comment_date) return null
    const date = instantOfText(item.post_date_gmt ?? '') ?? instantOfText(item.post_date ?? '')
    if (date !== null) xml.repair('a comment without a date got the date of its article')
    return date
  }

  const xml = createXmlReader({
    repair: emit,
    isTextWanted: (path) => fieldOf(path) !== undefined,
    open: (path) => {
      if (path.length === 1 && path[0] !== 'rss')
        xml.refuse(`The root element is not rss, as in WXR.`)
      if (isItem(path)) {
        item = {}
        said = ''
        itemCount++
      }
      if (isComment(path)) {
        comment = {}
        commentLine = xml.line()
      }
    },
    close: (path, text) => {
      const field = fieldOf(path)
      if (field && path.length === COMMENT_DEPTH + 1) comment[field] = text
      else if (field && path.length === ITEM_DEPTH + 1) item[field] = text
      else if (field) site[field] = text
      if (isComment(path)) takeComment()
      if (isItem(path) && said !== '') sayThread()
      if (path.length === 1) sayOrigin()
    },
  })
  return xml
}

const localName = (name: string): string => name.slice(name.indexOf(':') + 1)
const isItem = (path: readonly string[]): boolean =>
  path.length === ITEM_DEPTH && path[ITEM_DEPTH - 1] === 'item'
const isComment = (path: readonly string[]): boolean =>
  path.length === COMMENT_DEPTH &&
  path[ITEM_DEPTH - 1] === 'item' &&
  path[COMMENT_DEPTH - 1]!.endsWith(':comment')

/** The field that an element is: of the channel, of an item or of a comment. */
const fieldOf = (path: readonly string[]): string | undefined => {
  const name = path.at(-1)!
  if (path.length === ITEM_DEPTH)
    return CHANNEL_FIELDS.includes(localName(name)) && !name.startsWith('atom')
      ? localName(name)
      : undefined
  if (path.length === ITEM_DEPTH + 1 && path[ITEM_DEPTH - 1] === 'item')
    return ITEM_FIELDS.includes(localName(name)) && !/^(?:atom|media|itunes):/.test(name)
      ? localName(name)
      : undefined
  if (path.length === COMMENT_DEPTH + 1 && isComment(path.slice(0, COMMENT_DEPTH)))
    return localName(name)
  return undefined
}

const threadOf = (item: Fields, itemCount: number): ThreadRecord => ({
  kind: 'thread',
  key: String(itemCount),
  address:
    item.link?.trim() || item.guid?.trim() || (item.post_id ? `?p=${item.post_id.trim()}` : ''),
  title: htmlToText(item.title ?? '') || null,
  isClosed: item.comment_status?.trim() === 'closed',
})

type Place = { readonly threadKey: string; readonly articleDate: Instant | null }

/** Hands over a comment, or returns the reason why it is none. */
const sayComment = (
  fields: Fields,
  { threadKey, articleDate }: Place,
  emit: Emit,
): SkipReason | undefined => {
  const field = (name: string): string => fields[name]?.trim() ?? ''
  const type = field('comment_type')
  if (SKIPPED_TYPES[type]) return SKIPPED_TYPES[type]
  if (!COMMENT_TYPES.includes(type)) return 'other_type'
  const id = field('comment_id')
  if (id === '') return 'no_id'
  const createdAt =
    instantOfText(field('comment_date_gmt')) ?? instantOfText(field('comment_date')) ?? articleDate
  if (createdAt === null) return 'bad_date'
  const content = field('comment_content')
  if (content === '') return 'empty'
  const parent = field('comment_parent')
  const user = field('comment_user_id')
  emit({
    kind: 'comment',
    id,
    threadKey,
    parentId: parent === '' || parent === '0' ? null : parent,
    author: {
      key: user === '' || user === '0' ? null : user,
      name: htmlToText(field('comment_author')),
      email: field('comment_author_email') || null,
      url: field('comment_author_url') || null,
    },
    createdAt,
    editedAt: null,
    status: STATUSES[field('comment_approved')] ?? 'pending',
    ...brokenHtmlBody(content),
    upvotes: 0,
    downvotes: 0,
    isPinned: false,
    address: field('comment_author_IP') || null,
  })
  return undefined
}
