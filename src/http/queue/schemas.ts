import { Type } from 'typebox'
import { MAX_ARTICLE_ID } from '../../domain/comment/article-address.ts'
import { STATUSES } from '../../domain/comment/status.ts'
import { FLAG_REASONS } from '../../domain/moderation/flag.ts'
import { commentWith, ModeratedArticle } from '../comments/schemas.ts'
import { Facts, Trace } from '../judging/schemas.ts'
import {
  count,
  flag,
  integerOrNull,
  object,
  oneOf,
  openObject,
  page,
  ref,
  refOrNull,
  text,
  textOrNull,
  time,
  timeOrNull,
} from '../wire/schema-parts.ts'

export const ModeratedComment = commentWith('ModeratedComment', {
  article: ref(ModeratedArticle),
  deleted_by: Type.Union([oneOf(['author', 'moderator', 'erasure', 'redaction']), Type.Null()], {
    description:
      'Null if not deleted. `author`: only the author can restore it. `erasure`, `redaction`: no one can.',
  }),
  redacted_at: timeOrNull('When an administrator removed the text for good.'),
  shadowed: flag('Whether a ban shows the comment to its author only.'),
  email: textOrNull("The author's e-mail address."),
  network: textOrNull(
    'Truncated network of the sender. Null if unknown, and after the retention time.',
  ),
  trace: ref(Trace),
  risk: count('How risky the comment is, 0 to 100.'),
  policy_version: integerOrNull(
    'The version of the policy that judged the comment. Null if the service had no policies yet.',
  ),
  facts: refOrNull(Facts, 'Null if they were not stored, or were erased.'),
  waiting_for: Type.Array(
    openObject({
      check: text('Name of the check.'),
      since: time('Since when the comment waits.'),
      error: textOrNull('Why there is no score. Null while the check can still answer.'),
    }),
    { description: 'The checks without a score that hold the comment.' },
  ),
  claim: Type.Unsafe<{ by: string; until: string } | null>({
    type: ['object', 'null'],
    additionalProperties: false,
    required: ['by', 'until'],
    properties: {
      by: text('Id of the API key or member that reserved the comment.'),
      until: time('When the claim ends, unless it is released or the comment is decided before.'),
    },
    description: 'Null if the comment is not claimed.',
  }),
  flag_count: count('Unresolved flags.'),
  flags: Type.Array(
    openObject({
      reason: oneOf(FLAG_REASONS),
      note: textOrNull("The reader's explanation."),
      by: text('Id of the author who flagged the comment.'),
      flagged_at: time('When the comment was flagged.'),
      resolved: flag('Whether a moderator has decided since.'),
    }),
    { description: 'The latest twenty flags.' },
  ),
})

export const QueuePage = openObject(
  {
    ...page(ref(ModeratedComment)),
    as_of: text('For `decideMany` with a filter.'),
  },
  { $id: 'QueuePage' },
)

export const QueueCounts = openObject(
  Object.fromEntries(STATUSES.map((status) => [status, count(`Comments: \`${status}\`.`)])),
  { $id: 'QueueCounts' },
)

/** The filter of the queue, of claims and of decisions on many comments. */
export const CommentFilter = object(
  {
    status: Type.Optional(
      Type.Array(oneOf(STATUSES), {
        minItems: 1,
        maxItems: STATUSES.length,
        description: 'Omitted: `pending`, and with `flagged: true` also `approved`.',
      }),
    ),
    flagged: Type.Optional(flag('Only comments with unresolved flags, or only those without.')),
    rule: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 60,
        description:
          'Only comments with a finding of this rule, or of this check: `checks.akismet`.',
      }),
    ),
    article_id: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: MAX_ARTICLE_ID,
        description: 'Only comments of this article.',
      }),
    ),
    author_id: Type.Optional(
      Type.String({ maxLength: 40, description: 'Only comments by this author.' }),
    ),
    q: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        description: 'Only comments whose text contains this.',
      }),
    ),
    until: Type.Optional(
      Type.String({ format: 'date-time', description: 'Only comments posted up to this time.' }),
    ),
  },
  { $id: 'CommentFilter' },
)
