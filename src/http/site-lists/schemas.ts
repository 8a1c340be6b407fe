import { Type } from 'typebox'
import { ArticleLink, Author, commentWith } from '../comments/schemas.ts'
import { openObject, page, ref, text } from '../wire/schema-parts.ts'

export const RecentComment = commentWith('RecentComment', {
  article: ref(ArticleLink),
  excerpt: Type.Optional(text('Plain text. Present with `excerpt`.')),
})

export const RecentPage = openObject(
  page(ref(RecentComment), {
    poll_cursor: Type.Optional(
      text(
        'With `sort=visible`: returns what becomes visible later, also from the last page on. Keep it and ask again.',
      ),
    ),
  }),
  { $id: 'RecentPage' },
)

export const AuthorPage = openObject(page(ref(RecentComment), { author: ref(Author) }), {
  $id: 'AuthorPage',
})
