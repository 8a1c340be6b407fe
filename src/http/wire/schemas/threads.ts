import { Type } from 'typebox'
import { THREAD_STATES } from '../../../domain/comment.ts'
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
} from './building.ts'
import { Branch } from './comments.ts'

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
    moderation: Type.Optional(oneOf(['site', 'post', 'pre'])),
  },
  { $id: 'ThreadChange', minProperties: 1, examples: [{ state: 'closed' }] },
)
