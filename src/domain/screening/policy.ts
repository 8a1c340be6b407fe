import { type Static, type TProperties, Type } from 'typebox'
import { ROLES } from '../comment/comment.ts'

/** `record`: the finding is in the trace and does not affect the verdict. */
export const MODES = ['off', 'record', 'enforce'] as const
export type Mode = (typeof MODES)[number]

/** Limit of all three word lists together. `compileDraft` limits the memory that they take compiled. */
export const MAX_WORDS = 100_000
const MAX_DOMAINS = 20_000

const oneOf = <const T extends readonly string[]>(values: T, options: object = {}) =>
  Type.Unsafe<T[number]>({ type: 'string', enum: [...values], ...options })

const object = <T extends TProperties>(properties: T, options: object = {}) =>
  Type.Object(properties, { additionalProperties: false, ...options })

const integer = (minimum: number, maximum: number, description: string) =>
  Type.Integer({ minimum, maximum, description })

const words = (description: string) =>
  Type.Array(Type.String(), { maxItems: MAX_WORDS, description })
const domains = (description: string) =>
  Type.Array(Type.String(), { maxItems: MAX_DOMAINS, description })

const mode = oneOf(MODES)
const says = oneOf(['pending', 'spam', 'rejected'])

const rule = <T extends TProperties>(description: string, parameters: T) =>
  object({ mode, ...parameters }, { description })
/** A rule that asks for one verdict. */
const strictRule = <T extends TProperties>(description: string, parameters: T) =>
  rule(description, { says, ...parameters })

const checkRule = strictRule('The rule of one check.', {
  at: Type.Number({ minimum: 0, maximum: 1, description: 'The lowest score that counts.' }),
  on_failure: oneOf(['ignore', 'hold'], {
    description:
      'The effect of a check that does not respond: `hold` keeps the comment in the queue.',
  }),
})

/**
 * The one definition of a policy: its type, its validation and its description in the API all come from
 * this schema. Rules have the same names in traces. The rules `moderation_mode` and `ban` are missing
 * here: they follow from the site's settings and its bans, and are always enforced.
 */
export const PolicySchema = object(
  {
    rules: object({
      role: rule('Publishes comments of these roles, whatever other rules find.', {
        roles: Type.Array(oneOf(ROLES), { maxItems: ROLES.length }),
      }),
      first_comments: strictRule('The author has fewer approved comments on the site than this.', {
        approved: integer(1, 100, 'Approved comments.'),
      }),
      rejections: strictRule('Many recent comments of the author were turned down.', {
        decided: integer(1, 100, 'The rule needs at least this many decided comments in 30 days.'),
        percent: integer(1, 100, 'At least this percentage of them are spam or rejected.'),
      }),
      words: rule('The text, the name or the website contains a listed word.', {
        pending: words('Words that hold a comment. `*` stands for any letters and digits.'),
        spam: words('Words that make it spam.'),
        rejected: words('Words that reject it.'),
      }),
      links: strictRule('The comment has more links than this.', {
        max: integer(0, 1_000, 'Links.'),
      }),
      links_of_new: strictRule(
        'The comment has a link, and its author has fewer approved comments than this.',
        { approved: integer(1, 100, 'Approved comments.') },
      ),
      link_domains: strictRule('The comment links to a blocked domain or a subdomain of one.', {
        allow: domains('Links to these domains count in no rule.'),
        block: domains('Blocked domains.'),
      }),
      repeats: strictRule('Other comments of the last day have the same or nearly the same text.', {
        same: integer(1, 100, 'At least this many have the same text.'),
        near: integer(1, 100, 'At least this many have nearly the same text.'),
      }),
      thread_flood: strictRule('The thread got more comments in the last minute than this.', {
        max: integer(1, 999, 'Comments.'),
      }),
      network_flood: strictRule(
        "The author's network sent more comments in the last minute than this, on any site.",
        { max: integer(1, 999, 'Comments.') },
      ),
      site_flood: strictRule('The site got more comments in the last minute than this.', {
        max: integer(1, 999, 'Comments.'),
        minutes: integer(1, 1_440, 'How long the flood hold then holds every comment.'),
      }),
      length: strictRule('The text is too short or too long.', {
        min: integer(0, 10_000, 'Fewest characters.'),
        max: integer(1, 10_000, 'Most characters.'),
      }),
      shouting: strictRule('The text is mostly capitals, or repeats a character many times.', {
        percent: integer(1, 100, 'At least this percentage of the letters are capitals.'),
        letters: integer(1, 10_000, 'Capitals count only in a text of at least this many letters.'),
      }),
      disposable_email: strictRule("The author's e-mail is at one of these domains.", {
        domains: domains('Domains, with their subdomains.'),
      }),
      old_threads: strictRule('The thread began at least this long ago.', {
        days: integer(1, 36_500, 'Days.'),
      }),
      checks: Type.Unsafe<Record<string, Static<typeof checkRule>>>({
        type: 'object',
        description: 'Rules of external checks, by the names that the site gives the checks.',
        additionalProperties: checkRule,
      }),
    }),
  },
  {
    $id: 'Policy',
    description:
      'The rules of a site with their parameters. `mode`: a rule that is `off` does not run; the finding ' +
      'of one with `record` is in the trace and does not affect the verdict. `says`: the verdict that ' +
      'the rule asks for.',
  },
)

type Immutable<T> = T extends readonly (infer Item)[]
  ? readonly Immutable<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Immutable<T[Key]> }
    : T

export type Policy = Immutable<Static<typeof PolicySchema>>
