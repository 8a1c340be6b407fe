import { sql } from 'kysely'
import type { Reason } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import {
  type Ban,
  type BanEffect,
  type BanKind,
  type BanMatch,
  type BanSubject,
  domainsOf,
  type WriterIdentity,
} from '../../domain/moderation/ban.ts'
import type { Db, Tx } from '../connection/db.ts'
import { prepare, type Query } from '../connection/prepared.ts'

/** Whether `bans b` applies now. */
export const isInForce = sql`(b.lifted_at is null and (b.expires_at is null or b.expires_at > clock_timestamp()))`

const columns = sql`b.id, b.site_id, b.kind, b.author_id, b.network::text as network, b.domain, b.effect,
  b.reason, b.note, b.made_by as "by", b.made_at as "at", b.expires_at, b.lifted_by, b.lifted_at,
  ${isInForce} as is_in_force`

export type NewBan = {
  readonly siteId: number | null
  readonly target: BanSubject
  readonly effect: BanEffect
  readonly reason: Reason | null
  readonly note: string | null
  readonly expiresAt: Instant | null
  readonly by: string
}

export const insertBan = async (tx: Tx, ban: NewBan): Promise<Ban> => {
  const { siteId, target, effect, reason, note, expiresAt, by } = ban
  const { authorId, network, emailHashes, domain } = { ...NO_SUBJECT, ...target }
  const { rows } = await sql<Ban>`
    insert into bans as b (site_id, kind, author_id, network, email_hash, domain, effect, reason, note,
      made_by, made_at, expires_at)
    values (${siteId}, ${target.kind}, ${authorId}, network(${network}::inet), ${emailHashes[0] ?? null}, ${domain},
      ${effect}, ${reason}, ${note}, ${by}, clock_timestamp(), ${expiresAt})
    returning ${columns}`.execute(tx)
  return rows[0]!
}

const NO_SUBJECT = { authorId: null, network: null, emailHashes: [], domain: null }

/** Bans of one site; null: bans on every site. */
const inScope = (siteId: number | null) => sql`b.site_id is not distinct from ${siteId}`

/** Latest first; `limit + 1` rows. */
export const listBans = async (
  db: Db,
  request: {
    siteId: number | null
    kind?: BanKind | undefined
    authorId?: number | undefined
    isInForce?: boolean | undefined
    /** Bans that name this subject, or a network or a domain that contains it. */
    subject?: BanSubject | undefined
    beforeId: number | null
    limit: number
  },
): Promise<Ban[]> => {
  const { siteId, kind, authorId, subject, beforeId, limit } = request
  const { rows } = await sql<Ban>`
    select ${columns} from bans b
    where ${siteId === null ? sql`b.site_id is null` : sql`b.site_id = ${siteId}`}
      ${kind === undefined ? sql`` : sql`and b.kind = ${kind}`}
      ${authorId === undefined ? sql`` : sql`and b.author_id = ${authorId}`}
      ${subject === undefined ? sql`` : sql`and ${matches(subject)}`}
      ${request.isInForce === undefined ? sql`` : sql`and ${isInForce} = ${request.isInForce}`}
      ${beforeId === null ? sql`` : sql`and b.id < ${beforeId}`}
    order by b.id desc limit ${limit + 1}`.execute(db)
  return rows
}

const matches = (subject: BanSubject) => {
  switch (subject.kind) {
    case 'author':
      return sql`b.author_id = ${subject.authorId}`
    case 'network':
      return sql`b.network >>= network(${subject.network}::inet)`
    case 'email':
      return sql`b.email_hash = any(${subject.emailHashes}::bytea[])`
    case 'email_domain':
      return sql`b.kind = 'email_domain' and b.domain = any(${domainsOf(subject.domain)}::text[])`
  }
}

/** Locks a ban until the transaction ends. */
export const lockBanRow = async (
  tx: Tx,
  { siteId, id }: { siteId: number | null; id: number },
): Promise<Ban | undefined> => {
  const { rows } = await sql<Ban>`
    select ${columns} from bans b where b.id = ${id} and ${inScope(siteId)} for no key update`.execute(
    tx,
  )
  return rows[0]
}

/** The terms of a ban, which can change while it stands. */
export type BanTerms = Pick<Ban, 'effect' | 'reason' | 'note' | 'expiresAt'>

/** The caller has locked the ban's row. */
export const updateBan = async (
  tx: Tx,
  { siteId, id }: { siteId: number | null; id: number },
  { effect, reason, note, expiresAt }: BanTerms,
): Promise<Ban> => {
  const { rows } = await sql<Ban>`
    update bans b set effect = ${effect}, reason = ${reason}, note = ${note}, expires_at = ${expiresAt}
    where b.id = ${id} and ${inScope(siteId)}
    returning ${columns}`.execute(tx)
  return rows[0]!
}

/** @returns the ban, and whether it was already lifted */
export const liftBan = async (
  tx: Tx,
  { siteId, id, by }: { siteId: number | null; id: number; by: string },
): Promise<(Ban & { wasLifted: boolean }) | undefined> => {
  const { rows } = await sql<Ban & { wasLifted: boolean }>`
    with before as materialized (
      select b.id, b.lifted_at is not null as was_lifted from bans b
      where b.id = ${id} and ${inScope(siteId)} for no key update
    )
    update bans b set lifted_by = coalesce(b.lifted_by, ${by}),
      lifted_at = coalesce(b.lifted_at, clock_timestamp())
    from before where b.id = before.id
    returning ${columns}, before.was_lifted`.execute(tx)
  return rows[0]
}

/** Renews a lifted ban, unless it has expired or its address was deleted. */
export const renewBan = async (
  tx: Tx,
  { siteId, id }: { siteId: number; id: number },
): Promise<Ban | undefined> => {
  const { rows } = await sql<Ban>`
    update bans b set lifted_by = null, lifted_at = null
    where b.id = ${id} and ${inScope(siteId)} and b.lifted_at is not null
      and (b.expires_at is null or b.expires_at > clock_timestamp())
      and (b.kind = 'email_domain' or num_nonnulls(b.author_id, b.network, b.email_hash) > 0)
    returning ${columns}`.execute(tx)
  return rows[0]
}

type Writers = readonly (WriterIdentity | undefined)[]

/**
 * The bans in force, of the site and of the service, that match each writer. Each kind of ban is one index
 * look-up per writer, however many bans there are.
 * @returns the matches in the order of the writers; none for a writer that is undefined
 */
export const findBansOn = async (
  db: Db,
  siteId: number,
  writers: Writers,
): Promise<readonly (readonly BanMatch[])[]> => {
  if (writers.every((writer) => writer === undefined)) return writers.map(() => [])
  const { rows } = await db.executeQuery(askBansOn(siteId, writers))
  return toMatches(writers, rows)
}

/** The statement of `findBansOn`. */
export const askBansOn = (siteId: number, writers: Writers): Query<FoundBan> => {
  const all = writers.flatMap((writer, ordinal) => (writer ? [{ ...writer, ordinal }] : []))
  const emails = all.flatMap(({ ordinal, emailHashes }) =>
    emailHashes.map((hash) => ({ ordinal, hash })),
  )
  const domains = all.flatMap(({ ordinal, domains }) =>
    domains.map((domain) => ({ ordinal, domain })),
  )
  return BANS_ON({
    siteId,
    ordinals: all.map(({ ordinal }) => ordinal),
    authorIds: all.map(({ authorId }) => authorId ?? null),
    ips: all.map(({ ip }) => ip),
    emailOrdinals: emails.map(({ ordinal }) => ordinal),
    emailHashes: emails.map(({ hash }) => hash),
    domainOrdinals: domains.map(({ ordinal }) => ordinal),
    domains: domains.map(({ domain }) => domain),
  })
}

/** The result of `findBansOn` from the rows of its statement. */
export const toMatches = (
  writers: Writers,
  rows: readonly FoundBan[],
): readonly (readonly BanMatch[])[] => {
  const byOrdinal = Map.groupBy(rows, ({ ordinal }) => ordinal)
  return writers.map((_, i) => (byOrdinal.get(i) ?? []).map(({ id, effect }) => ({ id, effect })))
}

type FoundBan = BanMatch & { readonly ordinal: number }

type WriterColumns = {
  readonly siteId: number
  readonly ordinals: readonly number[]
  readonly authorIds: readonly (number | null)[]
  readonly ips: readonly (string | null)[]
  readonly emailOrdinals: readonly number[]
  readonly emailHashes: readonly Buffer[]
  readonly domainOrdinals: readonly number[]
  readonly domains: readonly string[]
}

const foundBan = (condition: ReturnType<typeof sql>) => sql`
  cross join lateral (
    select b.id, b.effect from bans b where ${condition} and ${isInForce} offset 0
  ) b`

const BANS_ON = prepare<WriterColumns, FoundBan>((of) => {
  const here = sql`(b.site_id = ${of.siteId}::int or b.site_id is null)`
  return sql`
    select q.ordinal, b.id, b.effect
    from unnest(${of.ordinals}::int[], ${of.authorIds}::bigint[]) as q (ordinal, author_id)
    ${foundBan(sql`b.site_id = ${of.siteId}::int and b.author_id = q.author_id`)}
    union
    select q.ordinal, b.id, b.effect
    from unnest(${of.ordinals}::int[], ${of.ips}::inet[]) as q (ordinal, ip)
    ${foundBan(sql`b.network >>= q.ip and ${here}`)}
    union
    select q.ordinal, b.id, b.effect
    from unnest(${of.emailOrdinals}::int[], ${of.emailHashes}::bytea[]) as q (ordinal, hash)
    ${foundBan(sql`b.email_hash = q.hash and ${here}`)}
    union
    select q.ordinal, b.id, b.effect
    from unnest(${of.domainOrdinals}::int[], ${of.domains}::text[]) as q (ordinal, domain)
    ${foundBan(sql`b.kind = 'email_domain' and b.domain = q.domain and ${here}`)}
    order by id`
})

/** The bans in force on a single subscriber within the networks, with the address that they name. */
export const listBansWithin = async (
  db: Db,
  siteId: number,
  networks: readonly string[],
): Promise<(BanMatch & { readonly address: string })[]> => {
  if (networks.length === 0) return []
  const { rows } = await sql<BanMatch & { address: string }>`
    select b.id, b.effect, host(b.network) as address
    from unnest(${networks}::inet[]) as q (network)
    cross join lateral (
      select * from bans b where b.network << q.network and (b.site_id = ${siteId} or b.site_id is null)
        and ${isInForce} and masklen(b.network) = case family(b.network) when 4 then 32 else 64 end
      limit ${MAX_BANS_WITHIN} offset 0
    ) b`.execute(db)
  return rows
}

/** An IPv4 network as it is stored has no more addresses. */
const MAX_BANS_WITHIN = 256

/** Finds out which of the bans are in force. @returns their ids */
export const listInForce = async (db: Db, ids: readonly number[]): Promise<ReadonlySet<number>> => {
  if (ids.length === 0) return new Set()
  const { rows } = await sql<{ id: number }>`
    select b.id from bans b where b.id = any(${ids}::bigint[]) and ${isInForce}`.execute(db)
  return new Set(rows.map(({ id }) => id))
}

/** How long an ended ban on every site keeps its address; a site's bans follow the site's retention. */
const SERVICE_RETENTION_DAYS = 30

/** Deletes the addresses of bans that ended before the retention period. @returns the number of bans */
export const forgetEndedBans = async (tx: Tx): Promise<number> => {
  const { numAffectedRows } = await sql`
    update bans b set network = null, email_hash = null
    where num_nonnulls(b.network, b.email_hash) > 0
      and least(b.lifted_at, b.expires_at) < clock_timestamp() - make_interval(
        days => coalesce((select retention_days from sites where id = b.site_id), ${SERVICE_RETENTION_DAYS}))`.execute(
    tx,
  )
  return Number(numAffectedRows ?? 0)
}
