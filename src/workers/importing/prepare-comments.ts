import { hash } from 'node:crypto'
import { isIP } from 'node:net'
import { renderMarkdown } from '../../domain/comment/markdown.ts'
import { isVisible } from '../../domain/comment/status.ts'
import { repairName, validateEmail, validateTitle, validateUrl } from '../../domain/comment/text.ts'
import type { CommentRecord, SkipReason } from '../../domain/importing/records.ts'
import type { Instant } from '../../domain/instant.ts'
import { authorKeyOf, type StagedComment, type StagedPart, type StagedThread } from './staging.ts'

/** A comment as an import stores it. Its texts are in the columns of the batch. */
export type PreparedComment = Pick<
  CommentRecord,
  'id' | 'parentId' | 'createdAt' | 'editedAt' | 'status' | 'upvotes' | 'downvotes' | 'isPinned'
> &
  Pick<StagedComment, 'isParentInFile' | 'orphan' | 'authorNumber'> & {
    /** The place of its thread in the batch. */
    readonly thread: number
    readonly authorKey: string
    readonly profile: Profile
    readonly textHash: number
    /** An IP address. */
    readonly address: string | null
  }

export type Profile = {
  readonly name: string
  readonly email: string | null
  readonly url: string | null
  readonly hash: number
}

/** Comments that are ready to be stored. Each column is the text of a Postgres array. */
export type PreparedBatch = {
  readonly threads: readonly StagedThread[]
  readonly comments: readonly PreparedComment[]
  readonly bodies: string
  readonly htmls: string
  /** The texts of the file, where the body is a translation. */
  readonly originals: string
}

const ANONYMOUS = 'Anonymous'
/** Ten times what a reader can post. */
const MAX_BODY_LENGTH = 100_000
const MAX_ID_LENGTH = 500
const MAX_COUNT = 1_000_000_000

/** Why no import stores a comment; undefined if it does. */
export const skipReasonOf = (
  { id, body, status, createdAt }: CommentRecord,
  mode: 'keep' | 'skip',
): SkipReason | undefined => {
  if (mode === 'skip' && !isVisible(status)) return 'unapproved'
  if (id === '' || id.length > MAX_ID_LENGTH) return 'no_id'
  if (!isTime(createdAt)) return 'bad_date'
  if (body.trim() === '' && status !== 'deleted') return 'empty'
  return body.length > MAX_BODY_LENGTH ? 'too_long' : undefined
}

const FIRST_YEAR = 1970
const LAST_YEAR = 2999
const isTime = (instant: Instant): boolean => {
  const year = new Date(instant).getUTCFullYear()
  return year >= FIRST_YEAR && year <= LAST_YEAR
}

/** Renders the texts, and repairs what readers see of authors and articles. */
export const prepareBatch = (parts: readonly StagedPart[]): PreparedBatch => {
  const comments = parts.flatMap((part) => part.comments)
  const bodies = comments.map(({ body }) => storable(body))
  return {
    threads: parts.map(({ thread }) => ({ ...thread, title: toTitle(thread.title) })),
    comments: parts.flatMap((part, place) =>
      part.comments.map((comment) => prepareComment(comment, place)),
    ),
    bodies: arrayOf(bodies),
    htmls: arrayOf(bodies.map(render)),
    originals: arrayOf(comments.map(({ original }) => original && storable(original))),
  }
}

const prepareComment = (comment: StagedComment, thread: number): PreparedComment => {
  const { id, parentId, isParentInFile, orphan, authorNumber, createdAt, status } = comment
  const { editedAt, address, author } = comment
  return {
    id,
    parentId,
    isParentInFile,
    orphan,
    thread,
    createdAt: new Date(createdAt).toISOString(),
    editedAt: editedAt !== null && isTime(editedAt) ? new Date(editedAt).toISOString() : null,
    status,
    authorNumber,
    authorKey: storable(authorKeyOf(author)).slice(0, MAX_ID_LENGTH),
    profile: profileOf(author),
    textHash: hashOf(comment.original ?? comment.body),
    upvotes: countOf(comment.upvotes),
    downvotes: countOf(comment.downvotes),
    isPinned: comment.isPinned,
    address: address !== null && isIP(address) !== 0 ? address : null,
  }
}

const countOf = (count: number): number => Math.max(0, Math.min(MAX_COUNT, Math.trunc(count) || 0))

const MAX_PROFILES = 5_000
const profiles = new Map<string, Profile>()

/** Comments of one author follow each other often, and a name costs more to validate than a comment to store. */
const profileOf = ({ name, email, url }: CommentRecord['author']): Profile => {
  const key = `${name}\n${email ?? ''}\n${url ?? ''}`
  const known = profiles.get(key)
  if (known) return known
  if (profiles.size >= MAX_PROFILES) profiles.clear()
  const profile = {
    name: name.trim() === '' ? ANONYMOUS : repairName(name),
    email: validOrNull(validateEmail(email?.trim() ?? '')),
    url: validOrNull(validateUrl(url?.trim() ?? '')),
    hash: hashOf(key),
  }
  profiles.set(key, profile)
  return profile
}

const validOrNull = (validated: ReturnType<typeof validateUrl>): string | null =>
  validated.ok ? validated.value : null

const MAX_TITLE_LENGTH = 500
const toTitle = (title: string | null): string | null =>
  title === null
    ? null
    : validOrNull(validateTitle(storable(title).replace(/\s+/g, ' ').slice(0, MAX_TITLE_LENGTH)))

/** Postgres stores no null character and no half of a surrogate pair. */
const storable = (text: string): string => text.toWellFormed().replaceAll('\0', '')

/** A text that the renderer can only put into a paragraph: letters, digits, spaces and harmless marks. */
const PLAIN = /^(?:[\p{L}\p{M}\p{N}][\p{L}\p{M}\p{N} ,.;?!’“”'-]*)$/u
const MAYBE_LIST_OR_LINK = /^\d+[.)]|\b(?:https?|www|mailto)\b|\.\w|-{2}| {2}/u

/** Plain text skips the parser and the sanitiser: the result is the same, which a property test compares. */
export const render = (body: string): string =>
  PLAIN.test(body) && !MAYBE_LIST_OR_LINK.test(body) && !body.includes("'")
    ? `<p>${body.trimEnd()}</p>\n`
    : renderMarkdown(body)

/** A number below 2^52. */
const hashOf = (text: string): number => Number.parseInt(hash('sha1', text).slice(0, 13), 16)

const arrayOf = (values: readonly (string | null)[]): string =>
  `{${values.map((value) => (value === null ? 'NULL' : `"${value.replace(/["\\]/g, '\\$&')}"`)).join(',')}}`
