import { cdata, element, xmlText } from '../../domain/exporting/xml.ts'
import type { Instant } from '../../domain/instant.ts'
import {
  type Article,
  listArticlesToWrite,
  listCommentsToWrite,
  type Written,
} from './comments-to-write.ts'
import type { Snapshot } from './snapshot.ts'

/**
 * Writes threads and comments as Disqus exports them, because nearly every other system reads that. It has no word for
 * held comments, so that they stay out: other systems would publish them.
 */
export async function* writeDisqus(snapshot: Snapshot, siteName: string): AsyncGenerator<string> {
  const numbering = { next: 1 }
  yield HEAD
  for await (const article of listArticlesToWrite(snapshot)) yield writeThread(article, siteName)
  for await (const article of listArticlesToWrite(snapshot))
    for await (const comments of listCommentsToWrite(snapshot, article, numbering))
      yield comments
        .filter(({ comment }) => comment.status !== 'pending')
        .map((written) => writePost(article, written))
        .join('')
  yield '</disqus>\n'
}

const HEAD = `<?xml version="1.0" encoding="utf-8"?>
<disqus xmlns="http://disqus.com" xmlns:dsq="http://disqus.com/disqus-internals" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
`

const writeThread = (
  { number, articleId, title, url, createdAt, isOpen }: Article,
  siteName: string,
): string =>
  `<thread dsq:id="${number}">
${element('id', articleId)}
${element('forum', siteName)}
${element('link', url ?? articleId)}
${element('title', title ?? articleId)}
<message />
${element('createdAt', toSeconds(createdAt))}
${element('isClosed', String(!isOpen))}
${element('isDeleted', 'false')}
</thread>
`

const writePost = (article: Article, { number, parent, author, comment }: Written): string => {
  const isGone = comment.status === 'deleted' || comment.status === 'rejected'
  return `<post dsq:id="${number}">
<id />
<message>${cdata(comment.bodyHtml)}</message>
${element('createdAt', toSeconds(comment.createdAt))}
${element('isDeleted', String(isGone))}
${element('isSpam', String(comment.status === 'spam'))}
<author>
${element('name', author.name)}
${author.email === null ? '' : `${element('email', author.email)}\n`}${element('isAnonymous', String(author.kind === 'guest'))}
</author>
<thread dsq:id="${article.number}" />
${parent === 0 ? '' : `<parent dsq:id="${xmlText(String(parent))}" />\n`}</post>
`
}

const toSeconds = (time: Instant): string => `${time.slice(0, 19)}Z`
