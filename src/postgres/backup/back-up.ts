import { createHash } from 'node:crypto'
import pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import type { Instant } from '../../domain/instant.ts'
import { openOwnClient, whileOthersWait } from '../connection/migrate.ts'
import { type BackupTable, type Counter, createHeader, END_OF_ROWS, toLine } from './backup-file.ts'
import { OWN_RELATIONS, SET_UP_COPY } from './copied-tables.ts'

/**
 * Yields the whole database as one transaction sees it, while others read and write. The transaction locks the tables
 * against migrations and keeps Postgres from cleaning up until it ends.
 */
export async function* backUp(options: { url: string; service: string }): AsyncGenerator<Buffer> {
  const client = await openOwnClient(options.url)
  try {
    const tables = await whileOthersWait(options.url, () => startSnapshot(client))
    const digest = createHash('sha256')
    const seal = (bytes: Buffer): Buffer => {
      digest.update(bytes)
      return bytes
    }
    const migrations = await listApplied(client)
    yield seal(
      toLine(createHeader({ service: options.service, at: await readTime(client), migrations })),
    )
    const rows: Record<string, number> = {}
    for (const one of tables) {
      yield seal(toLine(one))
      const copy = client.query(copyTo(copyStatement(one)))
      for await (const piece of copy) yield seal(piece)
      // The number of rows follows the last of them.
      await client.query('select')
      rows[one.table] = copy.rowCount
      yield seal(END_OF_ROWS)
    }
    const counters = await listCounters(client)
    yield toLine({ rows, counters, sha256: digest.digest('hex') })
  } finally {
    await client.end()
  }
}

/** The snapshot is that of the first query after the locks, so that it has the columns that the tables have. */
const startSnapshot = async (client: pg.Client): Promise<BackupTable[]> => {
  const names = await listTables(client)
  await client.query(`begin isolation level repeatable read, read only; ${SET_UP_COPY}`)
  const list = names.map(({ table }) => pg.escapeIdentifier(table)).join(', ')
  if (names.length > 0) await client.query(`lock table ${list} in access share mode`)
  return listTables(client)
}

const copyStatement = ({ table, columns }: BackupTable): string => {
  const list = columns.map((column) => pg.escapeIdentifier(column)).join(', ')
  return `copy (select ${list} from ${pg.escapeIdentifier(table)}) to stdout`
}

/**
 * The tables with the columns that cannot be computed. The number of a transaction (xid8) means nothing to another
 * server: there, the default takes its place.
 */
const listTables = async (client: pg.Client): Promise<BackupTable[]> => {
  const { rows } = await client.query<BackupTable>(`
    select c.relname::text as table, array_agg(a.attname::text order by a.attnum) as columns
    from pg_attribute a join (select oid, relname, relkind from ${OWN_RELATIONS}) c on c.oid = a.attrelid
    where c.relkind in ('r', 'p') and c.relname <> 'migrations' and a.attnum > 0 and not a.attisdropped
      and a.attgenerated = '' and a.atttypid <> 'xid8'::regtype
    group by 1 order by 1`)
  return rows
}

const listApplied = async (client: pg.Client): Promise<string[]> => {
  const { rows } = await client.query<{ name: string }>('select name from migrations order by name')
  return rows.map(({ name }) => name)
}

const readTime = async (client: pg.Client): Promise<Instant> => {
  const { rows } = await client.query<{ now: Date }>('select now() as now')
  return rows[0]!.now.toISOString()
}

/** A counter is no part of a snapshot: it is read last, so it has passed every row of the backup. */
const listCounters = async (client: pg.Client): Promise<Counter[]> => {
  const { rows } = await client.query<{ table: string; column: string; last: string }>(`
    select c.relname::text as table, a.attname::text as column,
      pg_sequence_last_value(pg_get_serial_sequence(quote_ident(c.relname), a.attname)::regclass)::text as last
    from pg_attribute a join (select oid, relname from ${OWN_RELATIONS}) c on c.oid = a.attrelid
    where a.attidentity <> ''
    order by 1, 2`)
  return rows
    .filter(({ last }) => last !== null)
    .map(({ last, ...counter }) => ({ ...counter, last: Number(last) }))
}
