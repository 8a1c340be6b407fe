import { type TSchema, Type } from 'typebox'
import { ROLES } from '../../domain/comment/comment.ts'
import { VERDICTS } from '../../domain/screening/finding.ts'
import { count, object, oneOf, text, textOrNull, time, timeOrNull } from '../wire/schema-parts.ts'

/** What the rules said of a comment. */
export const trace = Type.Array(
  object({
    rule: text('Name.'),
    says: oneOf(VERDICTS, { description: 'What it asks for.' }),
    counts: Type.Boolean({ description: 'False: it is only recorded.' }),
    score: count('How much it speaks against the comment, 0 to 100.'),
    evidence: text('Why.'),
    found: Type.Array(
      object({
        text: text('What was found.'),
        field: oneOf(['body', 'name', 'url', 'email']),
        start: count('Where it begins, in UTF-16 code units.'),
        end: count('And where it ends.'),
      }),
    ),
  }),
  { description: 'What the screening rules said.' },
)

const moderation = ['post', 'pre'] as const

const factsFields = {
  at: time('When it was judged.'),
  site_moderation: oneOf(moderation),
  thread_moderation: Type.Unsafe<'post' | 'pre' | null>({
    type: ['string', 'null'],
    enum: [...moderation, null],
  }),
  author: object({
    kind: oneOf(['guest', 'member']),
    role: oneOf(ROLES),
    approved: count('Its approved comments, up to 100.'),
    recent_approved: count('Of the last 30 days, those that were approved, up to 100.'),
    recent_rejected: count('And those that are spam or rejected, up to 100.'),
    email_domain: textOrNull('In lower case.'),
  }),
  thread_since: timeOrNull('When the thread began; null: with this comment.'),
  repeats: object({
    same: count('Others of the last day with the same text, up to 100.'),
    near: count('And with nearly the same, up to 100.'),
  }),
  arrivals: object({
    thread: count('In the last minute in the thread, this one included, up to 1,000.'),
    site: count('On the site.'),
    network: count('From the network, on any site.'),
  }),
  attacked_until: timeOrNull('Until when everything is held; null: it is not.'),
  bans: Type.Array(object({ id: text('Opaque.'), effect: oneOf(['hold', 'shadow']) }), {
    description: 'Bans that meet the author, and do not refuse the comment.',
  }),
  checks: Type.Unsafe<Record<string, object>>({
    type: 'object',
    description: 'What services outside said, by name.',
    additionalProperties: object({
      state: oneOf(['asked', 'answered', 'failed']),
      score: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
      why: Type.Optional(text('Why there is no answer.')),
    }),
  }),
}

/** What a comment was judged by. */
export const facts = object(factsFields, { description: 'What was known when it was judged.' })

export const factsOrNull = Type.Unsafe<object | null>({
  ...(facts as TSchema),
  type: ['object', 'null'],
  description: 'What was known when it was judged; null: judged before that was kept, or erased.',
})
