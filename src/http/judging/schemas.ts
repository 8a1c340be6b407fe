import { Type } from 'typebox'
import { MAX_ARTICLE_ID } from '../../domain/comment/article-address.ts'
import { ROLES } from '../../domain/comment/comment.ts'
import { VERDICTS } from '../../domain/screening/finding.ts'
import { PolicySchema } from '../../domain/screening/policy.ts'
import { EXAMPLE_POLICY } from '../policies/schemas.ts'
import {
  count,
  flag,
  integerOrNull,
  object,
  oneOf,
  oneOrNull,
  openObject,
  ref,
  text,
  textOrNull,
  time,
  timeOrNull,
} from '../wire/schema-parts.ts'

export const Finding = openObject(
  {
    rule: text('Name of the rule.'),
    says: oneOf(VERDICTS, { description: 'The verdict that the rule asks for.' }),
    counts: flag('Whether the rule is enforced. False: its finding is only recorded.'),
    score: count('How strongly the rule speaks against the comment, 0 to 100.'),
    evidence: text('Explanation.'),
    found: Type.Array(
      openObject({
        text: text('The matched text.'),
        field: oneOf(['body', 'name', 'url', 'title', 'email']),
        start: count('Start of the match in UTF-16 code units.'),
        end: count('End of the match in UTF-16 code units.'),
        reading: Type.Optional(
          oneOf(['rendered'], {
            description: 'The match is in the rendered text, not in the source.',
          }),
        ),
      }),
      { description: 'Text matches.' },
    ),
  },
  { $id: 'Finding', description: 'The verdict of one rule on one comment, with its evidence.' },
)

export const Trace = Type.Array(ref(Finding), {
  $id: 'Trace',
  description: 'The findings of all rules for a comment.',
})

const moderation = ['post', 'pre'] as const

export const Facts = openObject(
  {
    at: time('When the comment was judged.'),
    site_moderation: oneOf(moderation),
    thread_moderation: oneOrNull(moderation, "Null: the site's setting applies."),
    author: openObject({
      kind: oneOf(['guest', 'member']),
      role: oneOf(ROLES),
      approved: count("The author's approved comments, at most 100."),
      recent_approved: count('Of the last 30 days, approved comments, at most 100.'),
      recent_rejected: count('Of the last 30 days, spam and rejected comments, at most 100.'),
      email_domain: textOrNull('In lower case.'),
    }),
    thread_since: timeOrNull('When the thread began. Null if this comment began it.'),
    repeats: openObject({
      same: count('Other comments of the last day with the same text, at most 100.'),
      near: count('Other comments of the last day with nearly the same text, at most 100.'),
    }),
    arrivals: openObject(
      {
        thread: count('In the thread.'),
        site: count('On the site.'),
        network: count('From the network, on any site.'),
      },
      { description: 'New comments of the last minute, at most 1,000 each.' },
    ),
    attacked_until: timeOrNull('When the flood hold ends. Null if there is none.'),
    bans: Type.Array(
      openObject({ id: text('Id of the ban.'), effect: oneOf(['hold', 'shadow']) }),
      {
        description: 'Bans that apply to the author without blocking the comment.',
      },
    ),
    checks: Type.Unsafe<Record<string, object>>({
      type: 'object',
      description: 'Results of external checks, by name.',
      additionalProperties: openObject({
        state: oneOf(['asked', 'answered', 'failed', 'removed']),
        score: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
        why: Type.Optional(text('Why there is no result.')),
      }),
    }),
  },
  { $id: 'Facts', description: 'The data that a policy judges a comment by.' },
)

export const ScreeningRequest = object(
  {
    body: text('The Markdown source.'),
    author: Type.Optional(
      object({
        name: Type.Optional(text('Name of the author.')),
        url: Type.Optional(textOrNull('http or https.')),
        email: Type.Optional(textOrNull('The rules use its domain.')),
      }),
    ),
    article_id: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: MAX_ARTICLE_ID,
        description: 'The article to comment on. Omitted: a new thread.',
      }),
    ),
    policy: Type.Optional(ref(PolicySchema)),
  },
  { $id: 'ScreeningRequest', examples: [{ body: 'Is this held?' }] },
)

const verdict = oneOf(VERDICTS, { description: 'The status that the comment would get.' })

export const ScreeningResult = openObject(
  {
    verdict,
    risk: count('How risky the comment is, 0 to 100.'),
    trace: ref(Trace),
    facts: ref(Facts),
    policy_version: integerOrNull('The version of the policy. Null: the draft.'),
  },
  { $id: 'ScreeningResult' },
)

export const NewSimulation = object(
  {
    policy: ref(PolicySchema),
    days: Type.Integer({
      minimum: 1,
      maximum: 90,
      description: 'Judge the comments of this many days.',
    }),
  },
  { $id: 'NewSimulation', examples: [{ policy: EXAMPLE_POLICY, days: 7 }] },
)

export const Tally = openObject(
  Object.fromEntries(VERDICTS.map((name) => [name, count(`Verdict \`${name}\`.`)])),
  { $id: 'Tally', description: 'Number of comments by verdict.' },
)

const share = (description: string) =>
  Type.Unsafe<number | null>({ type: ['number', 'null'], minimum: 0, maximum: 1, description })

export const VerdictQuality = openObject(
  {
    all: ref(Tally),
    approved: ref(Tally),
    turned_down: ref(Tally),
    precision: share(
      'Share of held comments that a moderator turned down. Null if there are none.',
    ),
    recall: share('Share of turned-down comments that are held. Null if there are none.'),
  },
  {
    $id: 'VerdictQuality',
    description:
      'How verdicts agree with decisions of moderators: on all comments, on approved ones, and on those ' +
      'that are spam, rejected or deleted.',
  },
)

const progress = {
  total: count('Comments to judge.'),
  done: count('Comments judged so far.'),
  changed: count('Comments whose verdict differs under the draft.'),
}

export const SimulationLine = openObject(
  {
    progress: Type.Optional(openObject(progress)),
    result: Type.Optional(
      openObject({
        ...progress,
        changes: Type.Array(
          openObject({ comment_id: text('Id of the comment.'), from: verdict, to: verdict }),
          { description: 'The first hundred comments whose verdict differs.' },
        ),
        stored: ref(VerdictQuality),
        draft: ref(VerdictQuality),
      }),
    ),
  },
  {
    $id: 'SimulationLine',
    description: 'Either `progress` or `result`. The last line has the `result`.',
  },
)

export const ModerationState = openObject(
  {
    policy_version: count('The version of the policy in force.'),
    attack: Type.Unsafe<object | null>({
      type: ['object', 'null'],
      description: 'The flood that holds every new comment. Null if there is none.',
      additionalProperties: false,
      required: ['since', 'until'],
      properties: {
        since: time('When the flood began.'),
        until: time('When the flood hold ends.'),
      },
    }),
  },
  { $id: 'ModerationState' },
)

export const RejudgeRequest = object(
  {
    ask: Type.Boolean({
      default: false,
      description: 'Whether checks without a score are asked again.',
    }),
  },
  {
    $id: 'RejudgeRequest',
    description: 'How the comments that rules hold are judged again.',
    examples: [{ ask: true }],
  },
)
