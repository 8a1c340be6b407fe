import { type Static, type TSchema, Type } from 'typebox'
import { ROLES, THREAD_STATES } from '../../domain/comment.ts'
import { REFUSALS, type RefusalCode } from '../../domain/refusal.ts'
import { SORTS } from '../../domain/sort.ts'
import { STATUSES } from '../../domain/status.ts'

/** A named schema, used by name. */
export const ref = <T extends TSchema>(schema: T) =>
  Type.Unsafe<Static<T>>({ $ref: `${(schema as { $id?: string }).$id}#` })

export const oneOf = <const T extends readonly string[]>(values: T, options: object = {}) =>
  Type.Unsafe<T[number]>({ type: 'string', enum: [...values], ...options })

export const object = <T extends Parameters<typeof Type.Object>[0]>(
  properties: T,
  options: object = {},
) => Type.Object(properties, { additionalProperties: false, ...options })

const nullable = (type: string, options: object = {}) =>
  Type.Unsafe<string | null>({ type: [type, 'null'], ...options })

const text = (description: string) => Type.String({ description })
const textOrNull = (description: string) => nullable('string', { description })
const time = (description: string) => Type.String({ format: 'date-time', description })
const timeOrNull = (description: string) => nullable('string', { format: 'date-time', description })
const count = (description: string) => Type.Integer({ minimum: 0, description })
const cursorOrNull = (description: string) => textOrNull(description)

const CODES = Object.keys(REFUSALS) as RefusalCode[]

export const Problem = object(
  {
    type: text('A URN that names the code.'),
    title: text('What the code means, for people.'),
    status: Type.Integer({ description: 'The HTTP status.' }),
    code: oneOf(CODES, { description: 'What programs decide by.' }),
    errors: Type.Optional(
      Type.Array(
        object({
          pointer: Type.Optional(text('JSON pointer to the field of the body that is at fault.')),
          parameter: Type.Optional(text('The parameter or header that is at fault.')),
          detail: text('What is wrong with it.'),
        }),
      ),
    ),
  },
  { $id: 'Problem' },
)

const authorFields = {
  id: text('Opaque; it belongs to the guest token or the account, never to the e-mail.'),
  name: text('1 to 80 code points of plain text.'),
  url: textOrNull('http or https.'),
  avatar_url: textOrNull('http or https.'),
  role: oneOf(ROLES),
  kind: oneOf(['guest', 'member']),
}

export const Author = object(authorFields, { $id: 'Author' })
const AuthorOrNull = Type.Unsafe<Static<typeof Author> | null>({
  anyOf: [{ $ref: 'Author#' }, { type: 'null' }],
  description: 'Null on a tombstone.',
})

const commentFields = {
  id: text('Opaque; never changes.'),
  article_id: text("The site's own key for the article."),
  parent_id: textOrNull('The comment that this one replies to; null for a root.'),
  depth: count('A root is 0.'),
  author: AuthorOrNull,
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

const threadFields = {
  article_id: text("The site's own key for the article."),
  title: textOrNull('Title of the article.'),
  url: textOrNull('Address of the article.'),
  state: oneOf(THREAD_STATES, {
    description: '`closed`: no new comments. `locked`: no posts, edits or votes.',
  }),
  comment_count: count('Approved comments.'),
  root_count: count('Approved comments that reply to none.'),
  last_comment_at: timeOrNull('When the newest approved comment was posted.'),
  version: Type.Integer({
    minimum: 0,
    description: 'Changes with everything that a reader can see.',
  }),
}

export const Thread = object(threadFields, { $id: 'Thread' })
export const ModeratedThread = object(
  {
    ...threadFields,
    closes_at: timeOrNull('When it closes by itself.'),
    moderation: oneOf(['site', 'post', 'pre']),
  },
  { $id: 'ModeratedThread' },
)

const page = (items: TSchema, more: Record<string, TSchema> = {}) => ({
  ...more,
  items: Type.Array(items),
  next_cursor: cursorOrNull('Null at the end.'),
})

export const ThreadPage = object(page(ref(Branch), { thread: ref(Thread) }), { $id: 'ThreadPage' })
export const RepliesPage = object(page(ref(Branch)), { $id: 'RepliesPage' })
export const RecentPage = object(page(ref(RecentComment)), { $id: 'RecentPage' })
export const AuthorPage = object(page(ref(RecentComment), { author: ref(Author) }), {
  $id: 'AuthorPage',
})
export const ArticlesPage = object(page(ref(Thread)), { $id: 'ArticlesPage' })

export const Counts = Type.Object(
  {},
  {
    $id: 'Counts',
    description: 'By article id.',
    additionalProperties: object({
      comment_count: count('Approved comments.'),
      root_count: count('Approved comments that reply to none.'),
      last_comment_at: timeOrNull('When the newest approved comment was posted.'),
    }),
  },
)

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

export const ArticleIds = object(
  { article_ids: Type.Array(Type.String({ minLength: 1, maxLength: 512 }), { maxItems: 1000 }) },
  { $id: 'ArticleIds', examples: [{ article_ids: ['hello-world'] }] },
)

export const SiteConfig = object(
  {
    site: text('The slug.'),
    name: text('The name.'),
    moderation: oneOf(['post', 'pre']),
    who_may_post: oneOf(['anyone', 'members', 'nobody']),
    login_url: textOrNull('Where readers log in.'),
    edit_window_seconds: count('How long authors may edit.'),
    max_depth: count('The deepest reply that is accepted.'),
    max_body_length: count('In code points.'),
    max_name_length: count('In code points.'),
    sorts: Type.Array(oneOf(SORTS)),
    default_sort: oneOf(SORTS),
  },
  { $id: 'SiteConfig' },
)

export const Site = object(
  {
    slug: text('Names the site in addresses.'),
    name: text('For people.'),
    origins: Type.Array(Type.String(), {
      description: 'Exact origins that may read and write, or `*`.',
    }),
    moderation: oneOf(['post', 'pre']),
    who_may_post: oneOf(['anyone', 'members', 'nobody']),
    login_url: textOrNull('Where readers log in.'),
    edit_window_seconds: count('How long authors may edit.'),
    max_depth: count('The deepest reply that is accepted.'),
    version: Type.Integer({ description: 'One more with every change.' }),
    created_at: time('When it was made.'),
  },
  { $id: 'Site' },
)

export const SiteChange = object(
  {
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    origins: Type.Optional(Type.Array(Type.String({ maxLength: 300 }), { maxItems: 100 })),
    moderation: Type.Optional(oneOf(['post', 'pre'])),
    who_may_post: Type.Optional(oneOf(['anyone', 'members', 'nobody'])),
    login_url: Type.Optional(nullable('string')),
    edit_window_seconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 31_536_000 })),
    max_depth: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000 })),
  },
  { $id: 'SiteChange', minProperties: 1, examples: [{ moderation: 'pre' }] },
)

export const ThreadChange = object(
  {
    state: Type.Optional(oneOf(THREAD_STATES)),
    title: Type.Optional(nullable('string')),
    url: Type.Optional(nullable('string')),
    closes_at: Type.Optional(nullable('string', { format: 'date-time' })),
    moderation: Type.Optional(oneOf(['site', 'post', 'pre'])),
  },
  { $id: 'ThreadChange', minProperties: 1, examples: [{ state: 'closed' }] },
)

export const REASONS = [
  'spam',
  'offensive',
  'abusive',
  'off_topic',
  'illegal',
  'duplicate',
  'other',
] as const

export const NewDecision = object(
  {
    from: oneOf(STATUSES, { description: 'The status that the moderator saw.' }),
    to: oneOf(STATUSES),
    reason: Type.Optional(
      Type.Unsafe<(typeof REASONS)[number] | null>({
        type: ['string', 'null'],
        enum: [...REASONS, null],
      }),
    ),
    note: Type.Optional(nullable('string', { maxLength: 2000 })),
    replies: Type.Optional(
      oneOf(['keep', 'same'], { description: '`same`: replies with the same status go along.' }),
    ),
  },
  { $id: 'NewDecision', examples: [{ from: 'pending', to: 'approved' }] },
)

export const Decision = object(
  {
    id: text('Opaque.'),
    comment_id: text('The comment.'),
    from: oneOf(STATUSES),
    to: oneOf(STATUSES),
    reason: textOrNull('Why.'),
    note: textOrNull('For moderators.'),
    by: text('Id of the key or member.'),
    at: time('When.'),
    caused_by: textOrNull('The decision on an ancestor that took this comment along.'),
  },
  { $id: 'Decision' },
)
export const DecisionsPage = object(page(ref(Decision)), { $id: 'DecisionsPage' })

export const ModeratedComment = object(
  {
    ...commentFields,
    article: ref(ArticleLink),
    email: textOrNull('What the guest gave.'),
    network: textOrNull('Truncated.'),
    trace: Type.Array(
      object({ rule: text('Name.'), says: text('Its opinion.'), evidence: text('Why.') }),
      {
        description: 'What the screening rules said.',
      },
    ),
  },
  { $id: 'ModeratedComment' },
)
export const QueuePage = object(page(ref(ModeratedComment)), { $id: 'QueuePage' })

export const QueueCounts = object(
  Object.fromEntries(STATUSES.map((status) => [status, count(`Comments that are ${status}.`)])),
  { $id: 'QueueCounts' },
)

export const Health = object(
  {
    status: oneOf(['ok', 'degraded', 'unavailable']),
    checks: Type.Optional(Type.Record(Type.String(), Type.String())),
  },
  { $id: 'Health' },
)

/** Every schema that the description of the service names. */
export const NAMED: readonly TSchema[] = [
  Problem,
  Author,
  Comment,
  CommentInContext,
  Branch,
  ArticleLink,
  RecentComment,
  Thread,
  ModeratedThread,
  ThreadPage,
  RepliesPage,
  RecentPage,
  AuthorPage,
  ArticlesPage,
  Counts,
  GuestProfile,
  NewComment,
  PostedComment,
  Guest,
  Text,
  Preview,
  ArticleIds,
  SiteConfig,
  Site,
  SiteChange,
  ThreadChange,
  NewDecision,
  Decision,
  DecisionsPage,
  ModeratedComment,
  QueuePage,
  QueueCounts,
  Health,
]
