import { type RawBuilder, sql } from 'kysely'
import type { Position } from '../../domain/comment/sort.ts'

/** A list of a site that moderators search, latest first. Its rows have the alias `r`. */
export type Search = {
  /** The table, from `from` on, and the condition that selects the list. */
  readonly list: RawBuilder<unknown>
  /** The sort key before the id, as a number; 0 if the id alone is the order. */
  readonly key: RawBuilder<unknown>
  /** The order by key and id, both descending, as the index of the list has it. */
  readonly order: RawBuilder<unknown>
  /** The condition of the rows after a position. */
  readonly isAfter: (position: Position) => RawBuilder<unknown>
  /** The filters. */
  readonly filters: readonly RawBuilder<unknown>[]
  /** The filters with an index of their own. The filter that matches the fewest rows comes first. */
  readonly indexed: readonly RawBuilder<unknown>[]
  readonly after: Position | null
  readonly limit: number
  /** A page scans at most this many rows for those that match. */
  readonly maxScanned?: number | undefined
}

/** `next`: where the next page begins, which may be empty. Null at the end of the list. */
export type FoundPage = { readonly ids: readonly number[]; readonly next: Position | null }

const MAX_SCANNED = 2_000

type Run = (statement: RawBuilder<any>) => Promise<{ rows: any[] }>

/**
 * The ids of one page of a search. If an indexed filter matches at most `maxScanned` rows, the page reads
 * only those. Otherwise it scans the list in its order, at most `maxScanned` rows, and says where it stopped.
 */
export const findPage = async (search: Search, run: Run): Promise<FoundPage> => {
  const { filters, limit, maxScanned = MAX_SCANNED } = search
  const lead = await findLead(search, run)
  const scan = filters.length === 0 ? limit + 1 : maxScanned
  const { rows } = await run(scanOf(search, lead, scan))
  const wanted = rows.filter(({ isWanted }) => isWanted)
  const items = wanted.slice(0, limit)
  const last = wanted.length > limit ? items.at(-1) : rows.at(-1)
  const isOver = wanted.length <= limit && (last?.scanned ?? 0) < scan
  return { ids: items.map(({ id }) => id), next: isOver ? null : [last.key, last.id] }
}

/** The first indexed filter that matches few rows. */
const findLead = async (
  { list, indexed, maxScanned = MAX_SCANNED }: Search,
  run: Run,
): Promise<RawBuilder<unknown> | undefined> => {
  for (const filter of indexed) {
    const { rows } = await run(sql<{ number: number }>`
      select count(*) as number from (select ${list} and ${filter} limit ${maxScanned + 1}) r`)
    if (rows[0]!.number <= maxScanned) return filter
  }
  return undefined
}

/**
 * The matching rows among the next `scan` rows, and the last of these rows. "offset 0" makes Postgres read the
 * rows of the lead first, by its index.
 */
const scanOf = (search: Search, lead: RawBuilder<unknown> | undefined, scan: number) => {
  const { list, key, order, isAfter, filters, after, limit } = search
  const rest = after ? isAfter(after) : sql`true`
  const rows = lead
    ? sql`select * from (select * ${list} and ${lead} offset 0) r where ${rest}`
    : sql`select * ${list} and ${rest}`
  return sql`
    with scanned as materialized (
      select r.id, ${key} as key, coalesce(${sql.join([sql`true`, ...filters], sql` and `)}, false) as is_wanted
      from (${rows} order by ${order} limit ${scan}) r
    ),
    placed as (
      select *, row_number() over (order by key desc, id desc) as place, count(*) over () as scanned
      from scanned
    )
    select id, key, is_wanted, scanned from placed
    where is_wanted or place = scanned
    order by place limit ${limit + 2}`
}

/** A condition that a text contains another one, in any case. */
export const contains = (text: RawBuilder<unknown>, part: string): RawBuilder<unknown> =>
  sql`${text} ilike ${`%${part.replace(/[\\%_]/g, '\\$&')}%`}`
