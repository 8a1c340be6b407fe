import { Type } from 'typebox'
import { MAX_ARTICLE_ID } from '../../domain/comment/article-address.ts'
import { THREAD_STATES } from '../../domain/comment/comment.ts'
import { MAX_SYNC_DECISIONS } from '../../domain/moderation/decision.ts'
import { REFUSALS, type RefusalCode } from '../../domain/refusal.ts'
import { Comment, confirmed } from '../comments/schemas.ts'
import { Branch } from '../replies/schemas.ts'
import { SiteConfig } from '../sites/schemas.ts'
import { StaffRoles } from '../staff/schemas.ts'
import {
  count,
  explanation,
  flag,
  integerOrNull,
  nullable,
  object,
  oneOf,
  oneOrNull,
  openObject,
  page,
  ref,
  text,
  textOrNull,
  time,
  timeOrNull,
} from '../wire/schema-parts.ts'

const state = oneOf(THREAD_STATES, {
  description:
    '`closed`: no new comments. `locked`: no posts, edits or votes. `hidden`: readers see no thread.',
})

const ownSlowMode = integerOrNull(
  "Time between two comments of one person. 0: no limit. Null: the site's setting applies.",
  { minimum: 0, maximum: 86_400 },
)

const neverCloses = flag("Whether the site's `close_after_days` does not apply.")

const moderation = oneOf(['site', 'post', 'pre'], {
  description: "`site`: the site's setting applies.",
})

const countFields = {
  comment_count: count('Approved comments.'),
  root_count: count('Approved root comments.'),
  last_comment_at: timeOrNull('When the latest approved comment was posted.'),
}

const threadFields = {
  article_id: text("The site's own key for the article."),
  title: textOrNull('Title of the article.'),
  url: textOrNull('URL of the article.'),
  state,
  ...countFields,
  closes_at: timeOrNull('When the thread closes automatically. Null: never.'),
  slow_mode_seconds: count('Time between two comments of one person. 0: no limit.'),
  version: Type.Integer({
    minimum: 0,
    description: 'Grows with every change that readers can see.',
  }),
}

export const Thread = openObject(
  {
    ...threadFields,
    may_post: oneOf(['anyone', 'members', 'nobody'], { description: 'Who may post now.' }),
    reason: oneOrNull(
      Object.keys(REFUSALS) as RefusalCode[],
      'The error code that a post by a guest would get. Null if anyone may post.',
    ),
  },
  { $id: 'Thread' },
)

export const ModeratedThread = openObject(
  {
    ...threadFields,
    confirmed,
    created_at: time('When the thread began.'),
    stays_open: neverCloses,
    slow_mode_seconds: ownSlowMode,
    moderation,
  },
  { $id: 'ModeratedThread' },
)

export const ThreadsPage = openObject(page(ref(ModeratedThread)), { $id: 'ThreadsPage' })

/** The filter of moderators' threads, and of decisions on many. */
export const ThreadFilter = object(
  {
    state: Type.Optional(
      Type.Array(state, {
        minItems: 1,
        maxItems: THREAD_STATES.length,
        description: 'Omitted: every state.',
      }),
    ),
    has_comments: Type.Optional(flag('Only threads with approved comments, or without.')),
    q: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        description: 'Only threads whose article id, title or URL contains this.',
      }),
    ),
    until: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'Only threads without an approved comment after this time.',
      }),
    ),
  },
  { $id: 'ThreadFilter' },
)

export const NewThreadDecisions = object(
  {
    threads: Type.Optional(
      Type.Array(
        object({
          article_id: Type.String({ minLength: 1, maxLength: MAX_ARTICLE_ID }),
          from: Type.Optional(oneOf(THREAD_STATES)),
        }),
        {
          minItems: 1,
          maxItems: MAX_SYNC_DECISIONS,
          description: 'Send either this or `filter`. `from` omitted: any state.',
        },
      ),
    ),
    filter: Type.Optional(ref(ThreadFilter)),
    expected_count: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'How many threads match the filter. Required with it, except in a dry run.',
      }),
    ),
    to: oneOf(THREAD_STATES, { description: 'The new state.' }),
    ...explanation,
    dry_run: Type.Optional(flag('Return the outcomes and change nothing.')),
  },
  {
    $id: 'NewThreadDecisions',
    examples: [{ threads: [{ article_id: 'hello-world', from: 'open' }], to: 'closed' }],
  },
)

const pageFields = {
  thread: ref(Thread),
  config: Type.Optional(ref(SiteConfig)),
  staff: Type.Optional(
    Type.Record(Type.String(), ref(StaffRoles), {
      description: 'The listed staff among the authors of the page, by author id.',
    }),
  ),
}

export const TreePage = openObject(page(ref(Branch), pageFields), { $id: 'TreePage' })

export const FlatPage = openObject(page(ref(Comment), pageFields), { $id: 'FlatPage' })

export const ThreadPage = Type.Union([ref(TreePage), ref(FlatPage)], {
  $id: 'ThreadPage',
  description: 'A `TreePage` with `view=tree`, a `FlatPage` with `view=flat`.',
})

export const ArticlesPage = openObject(page(ref(Thread)), { $id: 'ArticlesPage' })

export const ThreadCounts = openObject(countFields, { $id: 'ThreadCounts' })

export const Counts = Type.Object(
  {},
  { $id: 'Counts', description: 'Counts by article id.', additionalProperties: ref(ThreadCounts) },
)

export const ArticleIds = object(
  { article_ids: Type.Array(Type.String(), { maxItems: 1000 }) },
  { $id: 'ArticleIds', examples: [{ article_ids: ['hello-world'] }] },
)

export const ThreadChange = object(
  {
    state: Type.Optional(state),
    title: Type.Optional(nullable('string', { description: 'Title of the article.' })),
    url: Type.Optional(nullable('string', { description: 'URL of the article.' })),
    closes_at: Type.Optional(
      nullable('string', { format: 'date-time', description: 'When the thread closes.' }),
    ),
    stays_open: Type.Optional(neverCloses),
    slow_mode_seconds: Type.Optional(ownSlowMode),
    moderation: Type.Optional(moderation),
  },
  { $id: 'ThreadChange', minProperties: 1, examples: [{ state: 'closed' }] },
)

export const ThreadDeletion = object(
  {
    dry_run: Type.Boolean({ default: false, description: 'Counts what would be deleted.' }),
    expected_count: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'The number of comments of any status. Needed without `dry_run`.',
      }),
    ),
  },
  { $id: 'ThreadDeletion', examples: [{ dry_run: true }] },
)

export const DeletedThread = openObject(
  {
    dry_run: flag('Whether the thread still exists.'),
    comments: count('Comments of any status.'),
    authors: count('Their authors, who stay.'),
    votes: count('Votes on the comments.'),
  },
  { $id: 'DeletedThread' },
)
