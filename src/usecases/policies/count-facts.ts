import type { Role } from '../../domain/comment/comment.ts'
import type { Instant } from '../../domain/instant.ts'
import type { Facts } from '../../domain/screening/facts.ts'
import type { Verdict } from '../../domain/screening/finding.ts'
import { contentOf, type Rendering } from '../../domain/screening/rendering.ts'
import {
  COMPARED_HASHES,
  fingerprintOf,
  isNearlySame,
  minHashesOf,
} from '../../domain/screening/text-similarity.ts'
import type { Moderation } from '../../domain/site/site.ts'
import type { Db } from '../../postgres/connection/db.ts'
import {
  type AuthorHistory,
  type CountedFacts,
  countFacts,
  type FactsQuery,
  type RecentText,
  type StoredArrival,
  toRecentTexts,
} from '../../postgres/screening/recent-posts.ts'

/** Hashes that find the same and nearly the same texts. */
export type TextHashes = { readonly fingerprint: number; readonly sketch: readonly number[] }

/** Hashes what readers see. */
export const hashRendering = (rendering: Rendering): TextHashes => {
  const content = contentOf(rendering)
  return { fingerprint: fingerprintOf(content), sketch: minHashesOf(content) }
}

/** Texts that are the same or nearly the same have one of these hashes in common. */
export const comparedHashesOf = ({ fingerprint, sketch }: TextHashes): readonly number[] => [
  fingerprint,
  ...sketch.slice(0, COMPARED_HASHES),
]

/** The text, author and network of a post. */
export type PostOrigin = TextHashes & {
  /** Undefined for a guest who does not exist yet. */
  readonly authorId: number | undefined
  /** Null if it was deleted. */
  readonly addressHash: Buffer | null
  /** The comment that gets the text with an edit, and does not count itself; undefined for a new comment. */
  readonly againId?: number
}

/** A post that was judged before in the same transaction, in whatever thread. */
export type EarlierPost = PostOrigin & {
  readonly threadId: number
  /** Undefined for an edit, which keeps the status of its comment. */
  readonly verdict: Verdict | undefined
}

/** Counts that are loaded once per transaction, by what they count. */
export type LoadedFacts = Pick<CountedFacts, 'at' | 'attackedUntil'> & {
  readonly threads: ReadonlyMap<number, { number: number; since: Facts['threadSince'] }>
  readonly site: number
  readonly networks: ReadonlyMap<string, number>
  readonly same: ReadonlyMap<number, number>
  /** By author, and the comment that does not count. */
  readonly records: ReadonlyMap<string, AuthorHistory>
  /** The posts among the counts whose texts edits replace, by comment. */
  readonly stored: ReadonlyMap<number, Replaced>
  readonly alike: readonly RecentText[]
  readonly takenNames: ReadonlySet<string>
}

type Replaced = Omit<StoredArrival, 'addressHash'> & { readonly addressHash: Buffer | null }

type FactsScope = {
  readonly siteId: number
  readonly threadIds?: readonly number[]
  readonly articleIds?: readonly string[]
  readonly nameSkeletons?: readonly string[]
}

/** Counts the facts of several posts in one query. */
export const countFor = async (
  db: Db,
  scope: FactsScope,
  sources: readonly PostOrigin[],
): Promise<LoadedFacts> => {
  const { question, toFacts } = askFor(scope, sources)
  return toFacts(await countFacts(db, question))
}

/** The question of `countFor`, and its result from the counts. */
export const askFor = (
  scope: FactsScope,
  sources: readonly PostOrigin[],
): { question: FactsQuery; toFacts: (counted: CountedFacts) => LoadedFacts } => {
  const hashes = new Map(
    sources.flatMap(({ addressHash }) => (addressHash ? [[nameOf(addressHash), addressHash]] : [])),
  )
  const fingerprints = [...new Set(sources.map(({ fingerprint }) => fingerprint))]
  const minHashes = sources.flatMap(({ sketch }) => sketch.slice(0, COMPARED_HASHES))
  const authors = new Map(
    sources.flatMap(({ authorId, againId }) =>
      authorId === undefined ? [] : [[nameOfAuthor(authorId, againId), { authorId, againId }]],
    ),
  )
  const question = {
    threadIds: [],
    articleIds: [],
    nameSkeletons: [],
    ...scope,
    authorIds: [...authors.values()].map(({ authorId }) => authorId),
    exceptOfAuthors: [...authors.values()].map(({ againId }) => againId ?? 0),
    againIds: sources.flatMap(({ againId }) => againId ?? []),
    addressHashes: [...hashes.values()],
    fingerprints,
    minHashes: [...new Set(minHashes)],
  }
  const toFacts = (counted: CountedFacts): LoadedFacts => {
    const { threadIds, threads, threadsSince, networks, same, records, stored, takenNames } =
      counted
    return {
      ...counted,
      alike: toRecentTexts(counted.alike),
      threads: new Map(
        threadIds.map((id, i) => [Number(id), { number: threads[i]!, since: threadsSince[i]! }]),
      ),
      takenNames: new Set(takenNames),
      networks: new Map([...hashes.keys()].map((name, i) => [name, networks[i]!])),
      same: new Map(fingerprints.map((fingerprint, i) => [fingerprint, same[i]!])),
      records: new Map(records.map((one) => [nameOfAuthor(one.id, one.exceptId), one])),
      stored: new Map(stored.map((one) => [one.id, toReplaced(one)])),
    }
  }
  return { question, toFacts }
}

const toReplaced = ({ addressHash, ...stored }: StoredArrival): Replaced => ({
  ...stored,
  addressHash: addressHash === null ? null : Buffer.from(addressHash, 'base64'),
})

const nameOf = (addressHash: Buffer): string => addressHash.toString('base64')

const nameOfAuthor = (id: number, exceptId = 0): string => `${id} ${exceptId}`

/** The part of the facts that is not counted. */
export type FactsSubject = PostOrigin & {
  /** Null if the thread does not exist yet. */
  readonly threadId: number | null
  readonly kind: 'guest' | 'member'
  readonly role: Role
  /** The e-mail sent with this comment; undefined to use the author's stored one. */
  readonly email: string | null | undefined
  readonly siteModeration: Moderation
  readonly threadModeration: Moderation | null
  readonly attackedUntil: Instant | null
  /** Bans that do not block. */
  readonly bans: Facts['bans']
}

const MAX_MINUTE = 1_000
const MAX_COUNT = 100

/**
 * Builds the facts of one comment. Earlier posts of the same transaction count too, and the texts that they and the
 * comment replace do not.
 */
export const factsOf = (
  known: LoadedFacts,
  subject: FactsSubject,
  earlier: readonly EarlierPost[],
): Facts => {
  const replaced = new Map(
    [subject, ...earlier].flatMap(({ againId }) => {
      const stored = againId === undefined ? undefined : known.stored.get(againId)
      return stored ? [[stored.id, stored]] : []
    }),
  )
  const counting = { known, subject, earlier, replaced }
  return {
    at: known.at,
    siteModeration: subject.siteModeration,
    threadModeration: subject.threadModeration,
    author: authorOf(counting),
    threadSince: threadOf(counting)?.since ?? null,
    repeats: repeatsOf(counting),
    arrivals: {
      thread: arrivalsInThread(counting),
      site: countMinute(counting, known.site, () => true),
      network: networkOf(counting),
    },
    attackedUntil: subject.attackedUntil,
    bans: subject.bans,
    checks: {},
  }
}

/** The loaded counts, and what changes them for a comment. */
type Counting = {
  readonly known: LoadedFacts
  readonly subject: FactsSubject
  readonly earlier: readonly EarlierPost[]
  /** By comment. */
  readonly replaced: ReadonlyMap<number, Replaced>
}

/** The posts of the last minute, of which `loaded` are among the counts, with the comment itself. */
const countMinute = (
  { earlier, replaced }: Counting,
  loaded: number,
  counts: (post: Pick<EarlierPost, 'threadId' | 'addressHash'>) => boolean,
): number => {
  const gone = [...replaced.values()].filter((one) => one.isOfMinute && counts(one))
  return Math.min(MAX_MINUTE, loaded + earlier.filter(counts).length - gone.length + 1)
}

const threadOf = ({ known: { threads }, subject: { threadId } }: Counting) =>
  threadId === null ? undefined : threads.get(threadId)

const arrivalsInThread = (counting: Counting): number =>
  countMinute(
    counting,
    threadOf(counting)?.number ?? 0,
    ({ threadId }) => threadId === counting.subject.threadId,
  )

const authorOf = ({ known: { records }, subject, earlier }: Counting): Facts['author'] => {
  const { authorId, againId, kind, role, email } = subject
  const before = authorId === undefined ? undefined : records.get(nameOfAuthor(authorId, againId))
  const own = before ? earlier.filter((one) => one.authorId === authorId) : []
  const count = (base: number | undefined, ...verdicts: readonly Verdict[]) =>
    Math.min(
      MAX_COUNT,
      (base ?? 0) + own.filter(({ verdict }) => verdict && verdicts.includes(verdict)).length,
    )
  return {
    kind,
    role,
    approved: count(before?.approved, 'approved'),
    recentApproved: count(before?.recentApproved, 'approved'),
    recentRejected: count(before?.recentRejected, 'spam', 'rejected'),
    emailDomain: email === undefined ? (before?.emailDomain ?? null) : domainOf(email),
  }
}

const domainOf = (email: string | null): string | null =>
  /@([^@]+)$/.exec(email ?? '')?.[1]?.toLowerCase() ?? null

const repeatsOf = ({ known, subject, earlier, replaced }: Counting): Facts['repeats'] => {
  const { fingerprint, sketch } = subject
  const isNear = (other: TextHashes): boolean =>
    other.fingerprint !== fingerprint && isNearlySame(other.sketch, sketch)
  const stored = known.alike.reduce(
    (sum, other) => (!replaced.has(other.againId) && isNear(other) ? sum + other.number : sum),
    0,
  )
  const near = stored + earlier.filter(isNear).length
  const isEqual = (other: { readonly fingerprint: number }) => other.fingerprint === fingerprint
  const gone = [...replaced.values()].filter((one) => one.isOfDay && isEqual(one)).length
  const same = known.same.get(fingerprint)! + earlier.filter(isEqual).length - gone
  return { same: Math.min(MAX_COUNT, same), near: Math.min(MAX_COUNT, near) }
}

const networkOf = (counting: Counting): number => {
  const { addressHash: own } = counting.subject
  if (!own) return 0
  const loaded = counting.known.networks.get(nameOf(own))!
  return countMinute(counting, loaded, ({ addressHash }) => addressHash?.equals(own) ?? false)
}
