import { type RawBuilder, sql } from 'kysely'
import type { Role } from '../../domain/comment/comment.ts'
import type { Position } from '../../domain/comment/sort.ts'
import type { Db } from '../connection/db.ts'
import { contains, type FoundPage, findPage } from '../connection/search.ts'

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

/** A search for latest authors first. */
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
