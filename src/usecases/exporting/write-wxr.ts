import type { Status } from '../../domain/comment/status.ts'
import { cdata, element } from '../../domain/exporting/xml.ts'
import type { Instant } from '../../domain/instant.ts'
import {
  type Article,
  listArticlesToWrite,
  listCommentsToWrite,
  type Written,
} from './comments-to-write.ts'
import type { Snapshot } from './snapshot.ts'

/** Writes threads and comments as WordPress exports them (WXR 1.2), so that WordPress and its importers read them. */
export async function* writeWxr(snapshot: Snapshot, siteName: string): AsyncGenerator<string> {
  yield `${HEAD}${element('title', siteName)}${element('wp:wxr_version', '1.2')}\n`
  const numbering = { next: 1 }
  for await (const article of listArticlesToWrite(snapshot)) {
    yield openItem(article)
    for await (const comments of listCommentsToWrite(snapshot, article, numbering))
      yield comments.map(writeComment).join('')
    yield '</item>\n'
  }
  yield '</channel>\n</rss>\n'
}

const HEAD = `<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:excerpt="http://wordpress.org/export/1.2/excerpt/" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:wfw="http://wellformedweb.org/CommentAPI/" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:wp="http://wordpress.org/export/1.2/">
<channel>
`

const openItem = ({ number, articleId, title, url, createdAt, isOpen }: Article): string =>
  `<item>
<title>${cdata(title ?? articleId)}</title>
${element('link', url ?? articleId)}
<guid isPermaLink="false">${cdata(articleId)}</guid>
<content:encoded>${cdata('')}</content:encoded>
${element('wp:post_id', number)}
${element('wp:post_date_gmt', toGmt(createdAt))}
${element('wp:comment_status', isOpen ? 'open' : 'closed')}
${element('wp:status', 'publish')}
${element('wp:post_type', 'post')}
`

/** WordPress knows no rejected comments: they are in its trash. */
const STATUS_OF: Readonly<Record<Status, string>> = {
  approved: '1',
  pending: '0',
  spam: 'spam',
  rejected: 'trash',
  deleted: 'trash',
}

const writeComment = ({ number, parent, author, comment }: Written): string =>
  `<wp:comment>
${element('wp:comment_id', number)}
<wp:comment_author>${cdata(author.name)}</wp:comment_author>
<wp:comment_author_email>${cdata(author.email ?? '')}</wp:comment_author_email>
${element('wp:comment_author_url', author.url ?? '')}
${element('wp:comment_author_IP', '')}
${element('wp:comment_date', toGmt(comment.createdAt))}
${element('wp:comment_date_gmt', toGmt(comment.createdAt))}
<wp:comment_content>${cdata(comment.bodyHtml)}</wp:comment_content>
${element('wp:comment_approved', STATUS_OF[comment.status])}
${element('wp:comment_type', 'comment')}
${element('wp:comment_parent', parent)}
${element('wp:comment_user_id', 0)}
</wp:comment>
`

const toGmt = (time: Instant): string => `${time.slice(0, 10)} ${time.slice(11, 19)}`
