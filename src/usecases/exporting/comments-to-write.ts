import {
  type CommentAuthor,
  type ExportedComment,
  listCommentAuthors,
  listExportedAliases,
  listExportedThreads,
  listThreadComments,
} from '../../postgres/exporting/exported-rows.ts'
import { pages, type Snapshot } from './snapshot.ts'

/** An article as other systems know one: its number counts from 1, because they have numbers. */
export type Article = {
  readonly id: number
  readonly number: number
  readonly articleId: string
  readonly title: string | null
  readonly url: string | null
  readonly createdAt: string
  readonly isOpen: boolean
}

/** A comment with its number in the file and that of its parent; 0 for a root. */
export type Written = {
  readonly number: number
  readonly parent: number
  readonly comment: ExportedComment
  readonly author: CommentAuthor
}

/** Articles that are no aliases. */
export async function* listArticlesToWrite(snapshot: Snapshot): AsyncGenerator<Article> {
  const aliases = new Set<string>()
  for await (const page of pages(snapshot, { id: 0 }, listExportedAliases))
    for (const { articleId } of page) aliases.add(articleId)
  let number = 0
  for await (const page of pages(snapshot, { id: 0 }, listExportedThreads))
    for (const thread of page) {
      if (aliases.has(thread.articleId)) continue
      number += 1
      yield {
        ...thread,
        number,
        title: thread.title ?? thread.suggestedTitle,
        url: thread.url ?? thread.suggestedUrl,
        isOpen: thread.state === 'open',
      }
    }
}

/** The next number of a comment in a file. */
export type Numbering = { next: number }

/** The comments of an article, each after its parent. The numbers are unique in the file. */
export async function* listCommentsToWrite(
  snapshot: Snapshot,
  article: Article,
  numbering: Numbering,
): AsyncGenerator<Written[]> {
  const { tx, siteId } = snapshot
  const numbers = new Map<number, number>()
  const start = { threadId: article.id, id: 0 }
  for await (const comments of pages(snapshot, start, listThreadComments)) {
    const ids = comments.map(({ authorId }) => authorId)
    const authors = await listCommentAuthors(tx, siteId, [...new Set(ids)])
    yield comments.map((comment) => {
      const number = numbering.next++
      numbers.set(comment.id, number)
      const parent = numbers.get(comment.parentId) ?? 0
      return { number, parent, comment, author: authors.get(comment.authorId)! }
    })
  }
}
