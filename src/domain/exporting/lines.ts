import { MAX_ARTICLE_ID } from '../comment/article-address.ts'
import { ROLES, THREAD_STATES } from '../comment/comment.ts'
import { SORTS } from '../comment/sort.ts'
import { REASONS, STATUSES } from '../comment/status.ts'
import { BAN_EFFECTS, BAN_KINDS } from '../moderation/ban.ts'
import { BATCH_KINDS, DECISION_ACTIONS } from '../moderation/decision.ts'
import { FLAG_REASONS } from '../moderation/flag.ts'
import { APPEAL_OUTCOMES } from '../moderation/statement.ts'
import {
  doer,
  type Field,
  findFaultIn,
  flag,
  id,
  isObject,
  json,
  listOf,
  object,
  oneOf,
  orNull,
  text,
  time,
  url,
  whole,
} from './fields.ts'

/** The version of the form of an export. A form that older releases cannot read gets the next one. */
export const EXPORT_VERSION = 1

const MAX_INT = 2_147_483_647
const note = orNull(text(10_000, 'For moderators.'))
const by = doer('Who did it.')
const article = text(MAX_ARTICLE_ID, 'The id of the article.')

export const HEADER = {
  format: oneOf(['afterword'], 'Always `afterword`.'),
  version: oneOf([EXPORT_VERSION], 'The version of the form of the lines.'),
  origin: text(200, 'The site whose ids the lines have: `afterword:` and the id of the site.'),
}

/** Every kind of line of a site export after its header, in the order of the file, with its fields in their order. */
export const LINES = {
  site: {
    name: text(200, 'The name of the site.'),
    origins: listOf(text(255, ''), 100, 'The origins whose pages may use the site, or `*` alone.'),
    article_ids: oneOf(['as_sent', 'canonical'], 'Whether addresses of articles get one form.'),
    moderation: oneOf(['post', 'pre'], 'Whether comments wait for a moderator.'),
    who_may_post: oneOf(['anyone', 'members', 'nobody'], 'Who may post.'),
    state: oneOf(['open', 'closed'], 'Whether the site takes posts.'),
    who_may_read: oneOf(['anyone', 'members'], 'Who may read.'),
    voting: oneOf(['all', 'up', 'off'], 'Which votes the site takes.'),
    email_required: flag('Whether guests give an e-mail address.'),
    min_body_length: whole(1, 10_000, 'The shortest comment.'),
    max_body_length: whole(1, 10_000, 'The longest comment.'),
    language: orNull(text(100, 'A BCP 47 tag.')),
    reserved_names: listOf(text(200, ''), 1_000, 'Names that guests cannot take.'),
    login_url: orNull(url('Where members log in.')),
    edit_window_seconds: whole(0, 31_536_000, 'How long authors may edit.'),
    max_depth: whole(0, 400, 'How deep replies may be.'),
    limits: json('an object', 1_000, 'Requests per person and minute.'),
    sorts: listOf(oneOf(SORTS, ''), 20, 'The sorts that readers choose from.'),
    retention_days: whole(0, MAX_INT, 'How long networks are kept.'),
    flag_threshold: whole(0, MAX_INT, 'How many flags hold a comment.'),
    close_after_days: whole(0, MAX_INT, 'When threads close.'),
    slow_mode_seconds: whole(0, MAX_INT, 'The wait between two comments.'),
    policy_version: whole(0, MAX_INT, 'The policy in force; 0 is the default policy.'),
  },
  author: {
    id: id('The id of the author.'),
    former_ids: listOf(id(''), 1_000, 'Ids of guests whose comments the author took over.'),
    is_member: flag('Whether the author signs on at the site.'),
    role: oneOf(ROLES, 'The role that readers see.'),
    name: text(200, 'The published name.'),
    url: orNull(url('The website.')),
    avatar_url: orNull(url('The picture.')),
    email: orNull(text(320, 'The e-mail address.')),
    email_verified: flag('Whether the site vouches for the e-mail address.'),
    location: orNull(text(1_000, 'Shown in the list of staff.')),
    subject: orNull(text(1_000, "The member's id in the site's user database.")),
    signed_on_at: orNull(time("When the member's newest token was issued.")),
    token_roles: listOf(oneOf(ROLES, ''), 4, 'Roles of the newest token.'),
    granted_roles: listOf(oneOf(ROLES, ''), 4, 'Roles that administrators granted.'),
    token_roles_ignored: flag('Whether only granted roles count.'),
    listed: flag('Whether the list of staff shows the member.'),
    suspended_at: orNull(time('Since when tokens of the member are refused.')),
    created_at: time('When the author was created.'),
    erased_at: orNull(time('When the author was erased.')),
  },
  note: {
    id: id('The id of the note.'),
    author_id: id('The author that the note is about.'),
    note: text(10_000, 'The note.'),
    by,
    at: time('When it was added.'),
  },
  reason: {
    id: id('The id of the canned reason.'),
    title: text(1_000, 'The title.'),
    reason: oneOf(REASONS, 'The reason of the decision.'),
    note: text(10_000, 'The note of the decision.'),
  },
  policy: {
    version: whole(1, MAX_INT, 'The version. Versions have no gaps.'),
    policy: json('an object', 1_000_000, 'The policy.'),
    note,
    by,
    at: time('When it was made.'),
  },
  ban: {
    id: id('The id of the ban.'),
    subject: oneOf(BAN_KINDS, 'The kind of ban.'),
    author_id: orNull(id('The banned author.')),
    network: orNull(text(50, 'The banned network.')),
    email_hash: orNull(
      text(100, 'The keyed hash of the banned address. Another service has another key.'),
    ),
    domain: orNull(text(255, 'The banned e-mail domain, or that of the address.')),
    effect: oneOf(BAN_EFFECTS, 'The effect.'),
    reason: orNull(oneOf(REASONS, 'The reason.')),
    note,
    by,
    at: time('When it began.'),
    expires_at: orNull(time('When it ends by itself.')),
    lifted_by: orNull(by),
    lifted_at: orNull(time('When it was lifted.')),
  },
  thread: {
    article_id: article,
    title: orNull(text(1_000, 'The title that staff gave.')),
    url: orNull(url('The URL that staff gave.')),
    state: oneOf(THREAD_STATES, 'Its state.'),
    closes_at: orNull(time('When it closes by itself.')),
    stays_open: flag("Whether the site's time to close does not apply."),
    slow_mode_seconds: orNull(whole(0, MAX_INT, 'Its own slow mode.')),
    moderation: orNull(oneOf(['post', 'pre'], 'Its own moderation mode.')),
    created_at: time('When it began.'),
  },
  alias: {
    article_id: article,
    of: text(MAX_ARTICLE_ID, 'The article whose thread the id names.'),
    via: text(MAX_ARTICLE_ID, 'The article that got the alias, before it became an alias itself.'),
    is_bare: flag('Whether the id never had a thread of its own.'),
  },
  comment: {
    id: id('The id of the comment.'),
    article_id: article,
    parent_id: orNull(id('The comment that it replies to; null for a root.')),
    author_id: id('Its author.'),
    status: oneOf(STATUSES, 'Its status.'),
    withdrawn_at: orNull(time('When its author deleted it.')),
    withdrawn_from: orNull(oneOf(STATUSES, 'Its status before that.')),
    redacted_at: orNull(time('When an administrator removed its text for good.')),
    shadowed: flag('Whether a ban shows it to its author only.'),
    pinned: flag('Whether it is pinned.'),
    locked: flag('Whether it takes no replies.'),
    revision: whole(1, MAX_INT, 'The number of its text.'),
    created_at: time('When it was posted.'),
    published_at: orNull(time('When readers could first see it.')),
    edited_at: orNull(time('When its text last changed.')),
    body: text(100_000, 'The Markdown source.'),
    article: object(
      {
        title: orNull(text(1_000, 'The title.')),
        url: orNull(url('The URL.')),
      },
      'The name that it suggested for its article.',
    ),
    names_article: flag('Whether its suggestion names the article.'),
    policy_version: orNull(whole(0, MAX_INT, 'The policy that judged it.')),
    facts: orNull(json('an object', 100_000, 'The facts that the policy judged from.')),
    trace: orNull(json('a list', 1_000_000, 'The findings of the policy.')),
    risk: whole(0, 100, 'Its risk.'),
    upvotes: whole(0, MAX_INT, 'Its upvotes, with those of another system that have no line.'),
    downvotes: whole(0, MAX_INT, 'Its downvotes, likewise.'),
  },
  revision: {
    comment_id: id('The comment, whose line is the latest before this one.'),
    revision: whole(1, MAX_INT, 'The number of the text.'),
    body: text(100_000, 'The Markdown source.'),
    replaced_at: time('When an edit replaced it.'),
    replaced_by: by,
  },
  vote: {
    comment_id: id('The comment.'),
    author_id: id('Who voted.'),
    value: oneOf([1, -1], '1 or -1.'),
    at: time('When.'),
  },
  batch: {
    id: id('The id of the batch.'),
    acts: oneOf(BATCH_KINDS, 'The kind of batch.'),
    to: orNull(text(20, 'The status or state that it gave.')),
    undoes: orNull(id('The batch that it undid.')),
    by,
    at: time('When it was asked for.'),
    total: whole(0, MAX_INT, 'Its number of items.'),
    done: whole(0, MAX_INT, 'How many were processed.'),
    changed: whole(0, MAX_INT, 'How many changed.'),
    outcomes: json('an object', 1_000, 'The number of items by outcome.'),
    ended_at: time('When it ended.'),
  },
  decision: {
    id: id('The id of the decision.'),
    action: oneOf(DECISION_ACTIONS, 'The kind of decision.'),
    article_id: orNull(text(MAX_ARTICLE_ID, 'The article of a decision on no comment.')),
    comment_id: orNull(id('The comment; null if there is none any more.')),
    author_id: orNull(id("The comment's author, or the author decided on.")),
    subject: orNull(text(1_000, 'The article, author or ban of a decision on no comment.')),
    from: orNull(oneOf(STATUSES, 'The status before.')),
    to: orNull(oneOf(STATUSES, 'The status after.')),
    before: orNull(json('an object', 100_000, 'The changed values before.')),
    after: orNull(json('an object', 100_000, 'The changed values after.')),
    reason: orNull(oneOf(REASONS, 'The reason.')),
    note,
    by,
    at: time('When.'),
    caused_by: orNull(id('The decision from which it cascaded.')),
    undoes: orNull(id('The decision that it undoes.')),
    batch_id: orNull(id('Its batch.')),
    policy_version: orNull(whole(0, MAX_INT, 'The policy in force.')),
    held_ms: orNull(whole(-9e15, 9e15, 'How long the comment had waited.')),
  },
  flag: {
    comment_id: id('The comment.'),
    author_id: id('Who flagged it.'),
    reason: oneOf(FLAG_REASONS, 'The reason.'),
    note,
    at: time('When.'),
    resolved_at: orNull(time('When a moderator decided on the comment.')),
    resolved_by: orNull(id('That decision.')),
  },
  appeal: {
    id: id('The id of the appeal.'),
    comment_id: id('The comment.'),
    author_id: id('Its author.'),
    text: text(10_000, 'The explanation.'),
    at: time('When.'),
    decision_id: orNull(id('The decision; null if rules decided.')),
    decided_by: orNull(doer('Who cannot answer the appeal.')),
    outcome: orNull(oneOf(APPEAL_OUTCOMES, 'The outcome; null until answered.')),
    note: orNull(text(10_000, 'For the author.')),
    answered_by: orNull(by),
    answered_at: orNull(time('When it was answered.')),
  },
  imported_author: {
    origin: text(1_000, 'Another system, such as `wordpress:https://blog.example`.'),
    source_id: text(1_000, "The author's id there."),
    author_id: id('The author.'),
    profile_hash: text(20, 'The hash of the profile at the last import.'),
  },
  imported_comment: {
    origin: text(1_000, 'Another system.'),
    source_id: text(1_000, "The comment's id there."),
    comment_id: id('The comment.'),
    text_hash: text(20, 'The hash of the text at the last import.'),
    status: oneOf(STATUSES, 'Its status at the last import.'),
    upvotes: whole(0, MAX_INT, 'Its upvotes at the last import.'),
    downvotes: whole(0, MAX_INT, 'Its downvotes at the last import.'),
    pinned: flag('Whether it was pinned at the last import.'),
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Field>>>>

export type LineKind = keyof typeof LINES
export const LINE_KINDS = Object.keys(LINES) as LineKind[]

/** The fault of a line after the header; undefined if it has none. */
export const findFaultOfLine = (value: unknown): string | undefined => {
  if (!isObject(value)) return 'the line is not an object'
  const { kind, ...fields } = value
  if (!LINE_KINDS.includes(kind as LineKind)) return 'kind: must be a known kind of line'
  return findFaultIn(LINES[kind as LineKind], fields)
}

/** The fault of a first line; undefined if it is the header of an export that this release reads. */
export const findFaultOfHeader = (value: unknown): string | undefined => findFaultIn(HEADER, value)
