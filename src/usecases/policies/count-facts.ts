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
}

/** A post that was judged before in the same transaction, in whatever thread. */
export type EarlierPost = PostOrigin & { readonly threadId: number; readonly verdict: Verdict }

/** Counts that are loaded once per transaction, by what they count. */
export type LoadedFacts = Pick<CountedFacts, 'at' | 'attackedUntil'> & {
  readonly threads: ReadonlyMap<number, { number: number; since: Facts['threadSince'] }>
  readonly site: number
  readonly networks: ReadonlyMap<string, number>
  readonly same: ReadonlyMap<number, number>
  readonly records: ReadonlyMap<number, AuthorHistory>
  readonly alike: readonly RecentText[]
  readonly takenNames: ReadonlySet<string>
}

type FactsScope = {
  readonly siteId: number
  readonly threadIds?: readonly number[]
  readonly articleIds?: readonly string[]
  readonly exceptId?: number
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
  const authorIds = sources.flatMap(({ authorId }) => authorId ?? [])
  const question = {
    threadIds: [],
    articleIds: [],
    exceptId: 0,
    nameSkeletons: [],
    ...scope,
    authorIds: [...new Set(authorIds)],
    addressHashes: [...hashes.values()],
    fingerprints,
    minHashes: [...new Set(minHashes)],
  }
  const toFacts = (counted: CountedFacts): LoadedFacts => {
    const { threadIds, threads, threadsSince, networks, same, records, takenNames } = counted
    return {
      ...counted,
      alike: toRecentTexts(counted.alike),
      threads: new Map(
        threadIds.map((id, i) => [Number(id), { number: threads[i]!, since: threadsSince[i]! }]),
      ),
      takenNames: new Set(takenNames),
      networks: new Map([...hashes.keys()].map((name, i) => [name, networks[i]!])),
      same: new Map(fingerprints.map((fingerprint, i) => [fingerprint, same[i]!])),
      records: new Map(records.map((record) => [record.id, record])),
    }
  }
  return { question, toFacts }
}

const nameOf = (addressHash: Buffer): string => addressHash.toString('base64')

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

/** Builds the facts of one comment. Earlier posts of the same transaction count too. */
export const factsOf = (
  known: LoadedFacts,
  subject: FactsSubject,
  earlier: readonly EarlierPost[],
): Facts => ({
  at: known.at,
  siteModeration: subject.siteModeration,
  threadModeration: subject.threadModeration,
  author: authorOf(known, subject, earlier),
  threadSince: threadOf(known, subject)?.since ?? null,
  repeats: repeatsOf(known, subject, earlier),
  arrivals: {
    thread: arrivalsInThread(known, subject, earlier),
    site: Math.min(MAX_MINUTE, known.site + earlier.length + 1),
    network: networkOf(known, subject, earlier),
  },
  attackedUntil: subject.attackedUntil,
  bans: subject.bans,
  checks: {},
})

const threadOf = ({ threads }: LoadedFacts, { threadId }: FactsSubject) =>
  threadId === null ? undefined : threads.get(threadId)

const arrivalsInThread = (
  known: LoadedFacts,
  subject: FactsSubject,
  earlier: readonly EarlierPost[],
): number => {
  const before = earlier.filter(({ threadId }) => threadId === subject.threadId).length
  return Math.min(MAX_MINUTE, (threadOf(known, subject)?.number ?? 0) + before + 1)
}

const authorOf = (
  { records }: LoadedFacts,
  { authorId, kind, role, email }: FactsSubject,
  earlier: readonly EarlierPost[],
): Facts['author'] => {
  const before = authorId === undefined ? undefined : records.get(authorId)
  const own = before ? earlier.filter((one) => one.authorId === authorId) : []
  const count = (base: number | undefined, ...verdicts: Verdict[]) =>
    Math.min(MAX_COUNT, (base ?? 0) + own.filter((one) => verdicts.includes(one.verdict)).length)
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

const repeatsOf = (
  { same, alike }: LoadedFacts,
  { fingerprint, sketch }: FactsSubject,
  earlier: readonly EarlierPost[],
): Facts['repeats'] => {
  const isNear = (other: TextHashes): boolean =>
    other.fingerprint !== fingerprint && isNearlySame(other.sketch, sketch)
  const stored = alike.reduce((sum, other) => (isNear(other) ? sum + other.number : sum), 0)
  const near = stored + earlier.filter(isNear).length
  const equal = earlier.filter((one) => one.fingerprint === fingerprint).length
  return {
    same: Math.min(MAX_COUNT, same.get(fingerprint)! + equal),
    near: Math.min(MAX_COUNT, near),
  }
}

const networkOf = (
  { networks }: LoadedFacts,
  { addressHash }: FactsSubject,
  earlier: readonly EarlierPost[],
): number => {
  if (!addressHash) return 0
  const together = earlier.filter((one) => one.addressHash?.equals(addressHash)).length
  return Math.min(MAX_MINUTE, networks.get(nameOf(addressHash))! + together + 1)
}
