import { type RawBuilder, sql } from 'kysely'
import type { Author, Role } from '../../domain/comment/comment.ts'
import type { Position } from '../../domain/comment/sort.ts'
import type { Instant } from '../../domain/instant.ts'
import { isVisible } from '../comments/visible.ts'
import type { Db } from '../connection/db.ts'
import { contains, type FoundPage, findPage } from '../connection/search.ts'
import { isInForce } from '../moderation/bans.ts'

/** The people that an operator asks for; a missing field matches all. */
export type PersonFilter = {
  /** The beginning of the name, in any case. */
  readonly name?: string | undefined
  /** Part of the name, in any case. */
  readonly q?: string | undefined
  readonly role?: Role | undefined
  readonly isSuspended?: boolean | undefined
}

export type PersonSearch = PersonFilter & {
  readonly siteId: number
  readonly after: Position | null
  readonly limit: number
  readonly maxScanned?: number
}

const LATEST_FIRST = {
  key: sql`0`,
  order: sql`r.id desc`,
  isAfter: ([, id]: Position) => sql`r.id < ${id}`,
}

/** The ids of one page of the members of a site, latest first. */
export const findMemberPage = (db: Db, search: PersonSearch): Promise<FoundPage> => {
  const { siteId, after, limit, maxScanned } = search
  const list = sql`from authors r where r.site_id = ${siteId} and r.subject is not null`
  const { filters, indexed } = conditionsOf(search)
  return findPage(
    { list, ...LATEST_FIRST, filters, indexed, after, limit, maxScanned },
    (statement) => statement.execute(db),
  )
}

export type AuthorFilter = PersonFilter & {
  readonly authorId?: number | undefined
  readonly kind?: Author['kind'] | undefined
  /** The whole e-mail address, in any case. */
  readonly email?: string | undefined
  /** In the notation of Postgres. Only authors who posted from this network within the retention time. */
  readonly network?: string | undefined
  /** Only authors whom a ban names, or only those whom none names. */
  readonly isBanned?: boolean | undefined
}

export type AuthorSearch = PersonSearch & AuthorFilter

/** The ids of one page of the authors of a site, latest first. Erased authors are left out. */
export const findAuthorPage = async (db: Db, search: AuthorSearch): Promise<FoundPage> => {
  const { siteId, network, after, limit, maxScanned } = search
  const list = sql`from authors r where r.site_id = ${siteId} and r.erased_at is null`
  const ids = network === undefined ? undefined : await listSendersOf(db, siteId, network)
  const person = conditionsOf(search)
  const author = authorConditionsOf(search, ids)
  const filters = [...author.filters, ...person.filters]
  const indexed = [...author.indexed, ...person.indexed]
  return findPage(
    { list, ...LATEST_FIRST, filters, indexed, after, limit, maxScanned },
    (statement) => statement.execute(db),
  )
}

const authorConditionsOf = (
  { siteId, authorId, kind, email, network, isBanned }: AuthorFilter & { readonly siteId: number },
  senderIds: readonly number[] | undefined,
): Conditions => {
  const banned = sql`select b.author_id from bans b
    where b.site_id = ${siteId} and b.author_id is not null and b.lifted_at is null and ${isInForce}`
  // "offset 0" makes Postgres read the addresses of each scanned author, instead of those of the network.
  const hasSent = sql`exists (
    select from (
      select * from comment_addresses d where d.site_id = r.site_id and d.author_id = r.id offset 0
    ) d where ${isIn(network ?? '')} offset 0)`
  const indexed = [
    ...(authorId === undefined ? [] : [sql`r.id = ${authorId}`]),
    ...(email === undefined ? [] : [sql`r.email is not null and lower(r.email) = lower(${email})`]),
    ...(senderIds ? [sql`r.id = any(${senderIds}::bigint[])`] : []),
    ...(isBanned ? [sql`r.id in (${banned})`] : []),
  ]
  const unindexed = [
    ...(kind === undefined ? [] : [sql`r.kind = ${kind}`]),
    ...(network === undefined || senderIds ? [] : [hasSent]),
    ...(isBanned === false ? [sql`r.id not in (${banned})`] : []),
  ]
  return { filters: [...indexed, ...unindexed], indexed }
}

/** A network with more comments than this has no short list of senders. */
const MAX_COMMENTS_OF_NETWORK = 10_000

/** The authors of the comments that a network sent; undefined if there are too many comments. */
const listSendersOf = async (
  db: Db,
  siteId: number,
  network: string,
): Promise<number[] | undefined> => {
  const { rows } = await sql<{ id: number | null; comments: number }>`
    select author_id as id, sum(count(*)) over () as comments from (
      select d.author_id from comment_addresses d where d.site_id = ${siteId} and ${isIn(network)}
      limit ${MAX_COMMENTS_OF_NETWORK + 1}
    ) d group by author_id`.execute(db)
  if (rows.length > 0 && Number(rows[0]!.comments) > MAX_COMMENTS_OF_NETWORK) return undefined
  return rows.flatMap(({ id }) => id ?? [])
}

const storedNetwork = sql`(case when d.network <> 'unknown' then d.network::inet end)`

/**
 * Whether a network contains that of `comment_addresses d`. A smaller one than the service stores stands for the
 * stored one around it. The condition is a range, because Postgres uses the index for no other one with a
 * parameter.
 */
const isIn = (network: string): RawBuilder<unknown> => {
  const asked = sql`${network}::inet`
  const isIPv4 = sql`family(${asked}) = 4`
  const wide = sql`network(set_masklen(${asked}, least(masklen(${asked}), case when ${isIPv4} then 24 else 48 end)))`
  return sql`${storedNetwork} >= ${wide} and ${storedNetwork}
    <= set_masklen(broadcast(${wide}), case when ${isIPv4} then 32 else 128 end)`
}

/** An author as moderators see one. */
export type ModeratedAuthor = Author & {
  readonly email: string | null
  /** Of the latest comment within the retention time. */
  readonly network: string | null
  readonly createdAt: Instant
  /** When the author last posted or signed on, as far as it is stored. */
  readonly lastSeenAt: Instant
  readonly suspendedAt: Instant | null
  readonly isBanned: boolean
  /** Comments that readers see, and comments that are spam or rejected. Each count ends at `MAX_COUNTED`. */
  readonly commentCount: number
  readonly rejectedCount: number
}

export const MAX_COUNTED = 1_000

/** Authors as moderators see them, in no order; erased ones are left out. */
export const listModeratedAuthors = async (
  db: Db,
  siteId: number,
  ids: readonly number[],
): Promise<ModeratedAuthor[]> => {
  const { rows } = await sql<ModeratedAuthor>`
    select a.id, a.kind, a.role, a.name, a.url, a.avatar_url, a.email, a.created_at, a.suspended_at,
      d.network, greatest(a.created_at, a.signed_on_at, d.written_at, c.created_at) as last_seen_at,
      exists (select from bans b
        where b.site_id = a.site_id and b.author_id = a.id and b.lifted_at is null and ${isInForce}) as is_banned,
      (select count(*) from (select from comments c
        where c.site_id = a.site_id and c.author_id = a.id and ${isVisible('c.status')}
        limit ${MAX_COUNTED}) n) as comment_count,
      (select count(*) from (select from comments c
        where c.site_id = a.site_id and c.author_id = a.id and c.status in ('spam', 'rejected')
        limit ${MAX_COUNTED}) n) as rejected_count
    from authors a
    left join lateral (
      select d.network, d.written_at from comment_addresses d
      where d.site_id = a.site_id and d.author_id = a.id order by d.written_at desc limit 1
    ) d on true
    left join lateral (
      select c.created_at from comments c
      where c.site_id = a.site_id and c.author_id = a.id and ${isVisible('c.status')}
      order by c.published_at desc, c.id desc limit 1
    ) c on true
    where a.site_id = ${siteId} and a.id = any(${ids}::bigint[]) and a.erased_at is null`.execute(
    db,
  )
  return rows
}

type Conditions = {
  readonly filters: readonly RawBuilder<unknown>[]
  /** The filters that have an index of their own. */
  readonly indexed: readonly RawBuilder<unknown>[]
}

const conditionsOf = ({ name, q, role, isSuspended }: PersonFilter): Conditions => {
  const unindexed = [
    ...(q === undefined ? [] : [contains(sql`r.name`, q)]),
    ...(role === 'reader' ? [sql`r.role = 'reader'`] : []),
    ...(isSuspended === false ? [sql`r.suspended_at is null`] : []),
  ]
  const indexed = [
    ...(isSuspended ? [sql`r.suspended_at is not null`] : []),
    ...(role === undefined || role === 'reader'
      ? []
      : [sql`r.role <> 'reader' and r.role = ${role}`]),
    ...(name === undefined ? [] : [beginsWith(name)]),
  ]
  return { filters: [...indexed, ...unindexed], indexed }
}

/** Postgres cannot use the index for a pattern in a parameter, but for a range of the bytes of names. */
const beginsWith = (name: string): RawBuilder<unknown> => sql`
  r.erased_at is null and lower(r.name) collate "C" >= lower(${name})
  and lower(r.name) collate "C" < lower(${name}) || ${'\u{10FFFF}'}`
