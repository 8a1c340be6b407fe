import { type TSchema, Type } from 'typebox'
import { ROLES } from '../../domain/comment/comment.ts'
import { STATUSES } from '../../domain/comment/status.ts'
import {
  count,
  flag,
  nullable,
  object,
  oneOf,
  openObject,
  ref,
  refOrNull,
  text,
  textOrNull,
  time,
  timeOrNull,
} from '../wire/schema-parts.ts'

export const Author = openObject(
  {
    id: text('Belongs to the guest token or the member account, not to the e-mail address.'),
    name: text('Plain text, 1 to 80 code points.'),
    url: textOrNull('http or https.'),
    avatar_url: textOrNull(
      'http or https. A service without AFTERWORD_PUBLIC_URL returns the path of a generated avatar below its address.',
    ),
    role: oneOf(ROLES),
    kind: oneOf(['guest', 'member']),
  },
  { $id: 'Author' },
)

export const Comment = Type.Object(
  {
    id: text('Id of the comment. It never changes.'),
    article_id: text("The site's own key for the article."),
    parent_id: textOrNull('The parent comment. Null for a root comment.'),
    depth: count('0 for a root comment.'),
    author: refOrNull(Author, 'Null on a tombstone.'),
    body: textOrNull('The Markdown source exactly as sent. Null on a tombstone.'),
    body_html: textOrNull('Rendered and sanitised. Null on a tombstone.'),
    status: oneOf(STATUSES, { description: 'A tombstone is always `deleted`.' }),
    revision: Type.Integer({ minimum: 1, description: 'Grows by one with every edit.' }),
    created_at: time('When the comment was posted.'),
    published_at: timeOrNull('When readers could first see the comment.'),
    edited_at: timeOrNull('When the comment was last edited.'),
    score: Type.Integer({ description: '`upvotes` minus `downvotes`.' }),
    upvotes: count('Votes of 1.'),
    downvotes: count('Votes of -1.'),
    pinned: flag('Whether a moderator highlighted the comment.'),
    locked: flag('Whether a moderator closed the comment to replies, votes and edits.'),
    reply_count: count('Visible direct replies, including tombstones.'),
  },
  { $id: 'Comment' },
)

/** A comment with more fields. */
export const commentWith = <T extends Record<string, TSchema>>(name: string, fields: T) =>
  Type.Intersect([ref(Comment), Type.Object(fields)], { $id: name })

const editableUntil = timeOrNull(
  'Until when the author can edit the comment. Null if they cannot any more.',
)

export const now = time(
  'The time of the service, to compare with other times here. A repeated response keeps it.',
)

export const OwnComment = commentWith('OwnComment', { editable_until: editableUntil })

export const CommentInContext = commentWith('CommentInContext', {
  ancestors: Type.Optional(
    Type.Array(ref(Comment), { description: 'Root comment first. Present with `context`.' }),
  ),
})

const articleFields = {
  id: text("The site's own key for the article."),
  title: textOrNull('Title of the article.'),
  url: textOrNull('URL of the article.'),
}

export const ArticleLink = openObject(articleFields, { $id: 'ArticleLink' })

export const confirmed = Type.Boolean({
  description: 'Whether staff named the article. Otherwise a comment suggests title and URL.',
})

export const ModeratedArticle = openObject(
  { ...articleFields, confirmed },
  { $id: 'ModeratedArticle' },
)

export const GuestProfile = object(
  {
    name: Type.String({
      description:
        '1 to 80 code points. Stored in NFKC, without outer white space. Zero-width joiners are valid where ' +
        'a script or an emoji needs them.',
    }),
    url: Type.Optional(nullable('string', { description: 'http or https.' })),
    email: Type.Optional(
      nullable('string', { description: 'Never published. It does not identify the guest.' }),
    ),
  },
  { $id: 'GuestProfile', examples: [{ name: 'Ada', url: 'https://example.org' }] },
)

const body = Type.String({
  description: 'Markdown subset (`docs/markdown.md`), 1 to 10,000 code points.',
})

export const NewComment = object(
  {
    body,
    parent_id: Type.Optional(
      nullable('string', { description: 'The comment to reply to. Null or omitted: none.' }),
    ),
    author: Type.Optional(ref(GuestProfile)),
    author_subject: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 255,
        description:
          "An admin key posts as this member: the member's id in the site's own database.",
      }),
    ),
    article: Type.Optional(
      object(
        { title: Type.Optional(nullable('string')), url: Type.Optional(nullable('string')) },
        {
          description:
            'Title and URL of the article. Staff and keys set them. Others suggest them while the ' +
            "comment is visible; their URL must be on the site's origins, or with `*` on the request's.",
        },
      ),
    ),
  },
  { $id: 'NewComment', examples: [{ body: 'First!', author: { name: 'Ada' } }] },
)

/** `editable_until` is for the author: the response to a moderator lacks it. */
export const EditedComment = commentWith('EditedComment', {
  editable_until: Type.Optional(editableUntil),
  now,
})

export const PostedComment = commentWith('PostedComment', {
  editable_until: editableUntil,
  now,
  guest_token: Type.Optional(
    text('Present if this request created the guest: store it and send it as `Bearer`.'),
  ),
})

export const Guest = openObject(
  { author: ref(Author), guest_token: text('Send it as `Bearer`.') },
  { $id: 'Guest' },
)

export const EditRequest = object(
  { body },
  { $id: 'EditRequest', examples: [{ body: 'Now with *emphasis*.' }] },
)

export const PreviewRequest = object(
  { body },
  { $id: 'PreviewRequest', examples: [{ body: 'Is this *emphasis*?' }] },
)

export const Preview = openObject(
  { body_html: text('Rendered and sanitised.') },
  { $id: 'Preview' },
)
