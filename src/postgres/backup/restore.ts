import { pipeline } from 'node:stream/promises'
import { isDeepStrictEqual } from 'node:util'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import {
  applyMissing,
  listApplied,
  listMigrations,
  whileOthersWait,
} from '../connection/migrate.ts'
import {
  BackupFault,
  type BackupHeader,
  type BackupTable,
  type Counter,
  createBackupReader,
} from './backup-file.ts'
import { OWN_RELATIONS, SET_UP_COPY } from './copied-tables.ts'

/** Reads a backup to its end. Throws a BackupFault if it is not whole, or from a newer version of the service. */
export const verifyBackup = async (chunks: AsyncIterable<Buffer>): Promise<BackupHeader> => {
  const reader = createBackupReader(chunks)
  const header = await reader.readHeader()
  const known = await listMigrations()
  const unknown = header.migrations.filter((name) => !known.includes(name))
  if (unknown.length > 0)
    throw new BackupFault(
      `The backup is from Afterword ${header.service}, which is newer than this one: it has the migration ${unknown[0]}.`,
    )
  for await (const { rows } of reader.readTables()) for await (const _ of rows);
  return header
}

export type Restored = {
  readonly header: BackupHeader
  readonly rows: number
  /** Tables of the backup that no migration makes. */
  readonly leftOut: readonly string[]
}

/**
 * Stores a verified backup in an empty database: all of its rows or, after a failure or a kill, none. Then applies the
 * migrations that are newer than the backup. A service that starts meanwhile waits for the end.
 */
export const restore = (url: string, chunks: AsyncIterable<Buffer>): Promise<Restored> =>
  whileOthersWait(url, async (client) => {
    const reader = createBackupReader(chunks)
    const header = await reader.readHeader()
    await assertEmpty(client, header)
    await applyMissing(client, { wanted: header.migrations })
    const stored = await storeRows(client, reader.readTables())
    await applyMissing(client, {})
    await client.query('analyze')
    return { header, ...stored }
  })

/** Refuses a database with rows. A restore that was killed leaves tables without rows, which are accepted. */
const assertEmpty = async (client: pg.Client, header: BackupHeader): Promise<void> => {
  const { rows } = await client.query<{ name: string; kind: string }>(
    `select c.relname::text as name, c.relkind as kind from ${OWN_RELATIONS} and c.relkind in ('r', 'p', 'v', 'm', 'f') order by 1`,
  )
  const filled: string[] = []
  for (const { name } of rows.filter((one) => one.name !== 'migrations')) {
    const row = await client.query(`select from ${pg.escapeIdentifier(name)} limit 1`)
    if (row.rowCount) filled.push(name)
  }
  if (filled.length > 0)
    throw new BackupFault(
      `The database is not empty: it has rows in ${filled.join(', ')}. Restore into an empty database.`,
    )
  if ((await listApplied(client)).some((name) => !header.migrations.includes(name)))
    throw new BackupFault(
      'The database is not empty: its tables are newer than the backup. Restore into an empty database.',
    )
}

type Stored = Pick<Restored, 'rows' | 'leftOut'>

/** One transaction. Rows come faster, and in any order, while the tables have no indexes and no foreign keys. */
const storeRows = async (
  client: pg.Client,
  tables: ReturnType<ReturnType<typeof createBackupReader>['readTables']>,
): Promise<Stored> => {
  await client.query(`begin; ${SET_UP_COPY}`)
  const putOff = await listPutOff(client)
  for (const { drop } of putOff) await client.query(drop)
  const known = new Set(await listTableNames(client))
  const stored: Record<string, number> = {}
  const leftOut: string[] = []
  let next = await tables.next()
  for (; !next.done; next = await tables.next()) {
    const { rows, ...one } = next.value
    if (known.has(one.table)) stored[one.table] = await storeTable(client, one, rows)
    else {
      leftOut.push(one.table)
      for await (const _ of rows);
    }
  }
  const { rows, counters } = next.value
  const wanted = Object.fromEntries(Object.entries(rows).filter(([name]) => known.has(name)))
  if (!isDeepStrictEqual(stored, wanted))
    throw new BackupFault('The file has other rows than its end says.')
  for (const counter of counters.filter(({ table }) => known.has(table)))
    await setCounter(client, counter)
  for (const { create } of putOff) await client.query(create)
  await client.query('commit')
  return { rows: Object.values(stored).reduce((sum, n) => sum + n, 0), leftOut }
}

const storeTable = async (
  client: pg.Client,
  { table, columns }: BackupTable,
  rows: AsyncIterable<Buffer>,
): Promise<number> => {
  const list = columns.map((column) => pg.escapeIdentifier(column)).join(', ')
  const copy = client.query(copyFrom(`copy ${pg.escapeIdentifier(table)} (${list}) from stdin`))
  await pipeline(rows, copy)
  return copy.rowCount
}

const setCounter = async (client: pg.Client, { table, column, last }: Counter): Promise<void> => {
  await client.query('select setval(pg_get_serial_sequence(quote_ident($1), $2), $3)', [
    table,
    column,
    last,
  ])
}

const listTableNames = async (client: pg.Client): Promise<string[]> => {
  const { rows } = await client.query<{ name: string }>(
    `select c.relname::text as name from ${OWN_RELATIONS} and c.relkind in ('r', 'p') and c.relname <> 'migrations'`,
  )
  return rows.map(({ name }) => name)
}

/**
 * Foreign keys, and the indexes that no constraint needs: they can be dropped in any order. Triggers are disabled,
 * because they note what requests change, and the backup has the rows that they wrote.
 */
const listPutOff = async (client: pg.Client): Promise<{ drop: string; create: string }[]> => {
  const { rows } = await client.query<{ drop: string; create: string }>(`
    with own as (select c.oid, c.relname from ${OWN_RELATIONS} and c.relkind in ('r', 'p'))
    select format('alter table %I drop constraint %I', own.relname, k.conname) as drop,
      format('alter table %I add constraint %I %s', own.relname, k.conname, pg_get_constraintdef(k.oid)) as create
    from pg_constraint k join own on own.oid = k.conrelid where k.contype = 'f' and k.conparentid = 0
    union all
    select format('drop index %I', i.relname), pg_get_indexdef(i.oid)
    from pg_index x join own on own.oid = x.indrelid join pg_class i on i.oid = x.indexrelid
    where not exists (select from pg_constraint k where k.conindid = i.oid)
    union all
    select format('alter table %I disable trigger %I', own.relname, g.tgname),
      format('alter table %I enable trigger %I', own.relname, g.tgname)
    from pg_trigger g join own on own.oid = g.tgrelid where not g.tgisinternal and g.tgparentid = 0`)
  return rows
}
