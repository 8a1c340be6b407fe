import { Type } from 'typebox'
import { THREAD_STATES } from '../../domain/comment/comment.ts'
import { Branch } from '../comments/schemas.ts'
import {
  count,
  nullable,
  object,
  oneOf,
  page,
  ref,
  text,
  textOrNull,
  timeOrNull,
} from '../wire/schema-parts.ts'

const integerOrNull = (description: string) =>
  Type.Unsafe<number | null>({
    type: ['integer', 'null'],
    minimum: 0,
    maximum: 86_400,
    description,
  })

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
  closes_at: timeOrNull('When it closes by itself; null: it does not.'),
  slow_mode_seconds: count('Between two comments of one person; 0: no limit.'),
  version: Type.Integer({
    minimum: 0,
    description: 'Changes with everything that a reader can see.',
  }),
}

export const Thread = object(threadFields, { $id: 'Thread' })

export const ModeratedThread = object(
  {
    ...threadFields,
    stays_open: Type.Boolean({ description: 'The days of the site do not close it.' }),
    slow_mode_seconds: integerOrNull('Null: as the site says.'),
    moderation: oneOf(['site', 'post', 'pre']),
  },
  { $id: 'ModeratedThread' },
)

export const ThreadPage = object(page(ref(Branch), { thread: ref(Thread) }), { $id: 'ThreadPage' })

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

export const ArticleIds = object(
  { article_ids: Type.Array(Type.String({ minLength: 1, maxLength: 512 }), { maxItems: 1000 }) },
  { $id: 'ArticleIds', examples: [{ article_ids: ['hello-world'] }] },
)

export const ThreadChange = object(
  {
    state: Type.Optional(oneOf(THREAD_STATES)),
    title: Type.Optional(nullable('string')),
    url: Type.Optional(nullable('string')),
    closes_at: Type.Optional(nullable('string', { format: 'date-time' })),
    stays_open: Type.Optional(
      Type.Boolean({ description: 'The days of the site do not close it.' }),
    ),
    slow_mode_seconds: Type.Optional(integerOrNull('Null: as the site says.')),
    moderation: Type.Optional(oneOf(['site', 'post', 'pre'])),
  },
  { $id: 'ThreadChange', minProperties: 1, examples: [{ state: 'closed' }] },
)
