import { type Static, Type } from 'typebox'
import { ROLES } from '../../domain/comment/comment.ts'
import { STATUSES } from '../../domain/comment/status.ts'
import {
  count,
  cursorOrNull,
  nullable,
  object,
  oneOf,
  page,
  ref,
  text,
  textOrNull,
  time,
  timeOrNull,
} from '../wire/schema-parts.ts'

const authorFields = {
  id: text('Opaque; it belongs to the guest token or the account, never to the e-mail.'),
  name: text('1 to 80 code points of plain text.'),
  url: textOrNull('http or https.'),
  avatar_url: textOrNull('http or https; or a path of this service, to a picture made of the id.'),
  role: oneOf(ROLES),
  kind: oneOf(['guest', 'member']),
}

export const Author = object(authorFields, { $id: 'Author' })

export const AuthorOrNull = (description: string) =>
  Type.Unsafe<Static<typeof Author> | null>({
    anyOf: [{ $ref: 'Author#' }, { type: 'null' }],
    description,
  })

export const commentFields = {
  id: text('Opaque; never changes.'),
  article_id: text("The site's own key for the article."),
  parent_id: textOrNull('The comment that this one replies to; null for a root.'),
  depth: count('A root is 0.'),
  author: AuthorOrNull('Null on a tombstone.'),
  body: textOrNull('The Markdown source exactly as sent; null on a tombstone.'),
  body_html: textOrNull('Rendered and sanitised; null on a tombstone.'),
  status: oneOf(STATUSES, { description: 'A tombstone is always `deleted`.' }),
  revision: Type.Integer({ minimum: 1, description: 'One more with every edit.' }),
  created_at: time('When it was posted.'),
  published_at: timeOrNull('When readers could first see it.'),
  edited_at: timeOrNull('When it was last edited.'),
  score: Type.Integer({ description: 'upvotes − downvotes.' }),
  upvotes: count('Votes for it.'),
  downvotes: count('Votes against it.'),
  pinned: Type.Boolean(),
  locked: Type.Boolean({ description: 'Takes no replies.' }),
  reply_count: count('Direct replies that are shown, tombstones included.'),
}

export const Comment = object(commentFields, { $id: 'Comment' })

export const CommentInContext = object(
  {
    ...commentFields,
    ancestors: Type.Optional(
      Type.Array(ref(Comment), { description: 'Root first; with `context`.' }),
    ),
  },
  { $id: 'CommentInContext' },
)

export const Branch = object(
  {
    ...commentFields,
    replies: Type.Optional(
      object(
        {
          items: Type.Array(Type.Unsafe({ $ref: 'Branch#' })),
          next_cursor: cursorOrNull('For `listReplies`: where to read on. Null when all is shown.'),
          remaining: count('Direct replies that are not in `items`.'),
        },
        { description: 'In tree views.' },
      ),
    ),
  },
  { $id: 'Branch' },
)

export const ArticleLink = object(
  {
    id: text('The key of the article.'),
    title: textOrNull('Its title.'),
    url: textOrNull('Its address.'),
  },
  { $id: 'ArticleLink' },
)

export const RecentComment = object(
  {
    ...commentFields,
    article: ref(ArticleLink),
    excerpt: Type.Optional(text('Plain text, with `excerpt`.')),
  },
  { $id: 'RecentComment' },
)

export const RepliesPage = object(page(ref(Branch)), { $id: 'RepliesPage' })

export const RecentPage = object(page(ref(RecentComment)), { $id: 'RecentPage' })

export const AuthorPage = object(page(ref(RecentComment), { author: ref(Author) }), {
  $id: 'AuthorPage',
})

export const GuestProfile = object(
  {
    name: Type.String({ description: '1 to 80 code points.' }),
    url: Type.Optional(nullable('string', { description: 'http or https.' })),
    email: Type.Optional(nullable('string', { description: 'Never shown; identifies nobody.' })),
  },
  { $id: 'GuestProfile', examples: [{ name: 'Ada', url: 'https://example.org' }] },
)

export const NewComment = object(
  {
    body: Type.String({ description: 'Markdown subset, 1 to 10,000 code points.' }),
    parent_id: Type.Optional(nullable('string', { description: 'The comment to reply to.' })),
    author: Type.Optional(ref(GuestProfile)),
    article: Type.Optional(
      object(
        { title: Type.Optional(nullable('string')), url: Type.Optional(nullable('string')) },
        { description: 'Used while the thread has none.' },
      ),
    ),
  },
  { $id: 'NewComment', examples: [{ body: 'First!', author: { name: 'Ada' } }] },
)

export const PostedComment = object(
  {
    ...commentFields,
    guest_token: Type.Optional(text('For a guest who had none: keep it, and send it as `Bearer`.')),
  },
  { $id: 'PostedComment' },
)

export const Guest = object(
  { author: ref(Author), guest_token: text('Send it as `Bearer`.') },
  { $id: 'Guest' },
)

export const Text = object(
  { body: Type.String({ description: 'Markdown subset, 1 to 10,000 code points.' }) },
  { $id: 'Text', examples: [{ body: 'Now with *emphasis*.' }] },
)

export const Preview = object({ body_html: text('Rendered and sanitised.') }, { $id: 'Preview' })
