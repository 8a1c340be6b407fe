import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { backUp } from '../../src/postgres/backup/back-up.ts'
import { restore, verifyBackup } from '../../src/postgres/backup/restore.ts'
import { createDb, type Db } from '../../src/postgres/connection/db.ts'
import { listMigrations, migrate } from '../../src/postgres/connection/migrate.ts'
import { fillEveryTable, readEveryTable, readSchema } from '../full-database.ts'
import { recount } from '../recount.ts'
import { createEmptyDatabase, runOnServer } from '../servers.ts'
import { openService } from '../service.ts'

const MIGRATIONS = join(import.meta.dirname, '../../migrations')

const openEmpty = async (t: Test): Promise<{ url: string; db: Db }> => {
  const url = await createEmptyDatabase(t)
  const { db, close } = createDb({ url, max: 2, onError: () => {} })
  t.teardown(close)
  return { url, db }
}

const take = (url: string): Promise<Buffer> => buffer(backUp({ url, service: '1.2.3' }))

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const put = (url: string, bytes: Buffer, size = 50_000) => restore(url, inPieces(bytes, size))

/** A small database and its backup. */
const openBackup = async (t: Test) => {
  const service = await openService(t)
  await service.post('a', 'a text')
  return { service, bytes: await take(service.url) }
}

t.test('a restored database has every row of every table, and its numbers go on', async (t) => {
  const service = await openService(t)
  await fillEveryTable(service)
  const before = await readEveryTable(service.db)
  t.same(
    Object.entries(before).filter(([, rows]) => rows.length === 0),
    [],
    'every table has rows',
  )
  const { url, db } = await openEmpty(t)
  t.match(await put(url, await take(service.url)), {
    header: { service: '1.2.3', at: /^20/ },
    leftOut: [],
  })
  t.same(await readEveryTable(db), before)
  t.same(await readSchema(db), await readSchema(service.db))
  t.same(await recount(db), [])
  const next = async (place: Db): Promise<unknown> => {
    const { rows } = await sql`
      insert into threads (site_id, article_id) values (1, 'next') returning id`.execute(place)
    return rows[0]
  }
  t.same(await next(db), await next(service.db))
})

t.test('restore refuses a database with rows, and leaves it as it is', async (t) => {
  const { service, bytes } = await openBackup(t)
  const before = await readEveryTable(service.db)
  await t.rejects(put(service.url, bytes), {
    message: /^The database is not empty: it has rows in .*comments.*\. Restore into an empty/,
  })
  t.same(await readEveryTable(service.db), before)
  const { url, db } = await openEmpty(t)
  await runOnServer(url, 'create table others (n int); insert into others values (1)')
  await t.rejects(put(url, bytes), { message: 'it has rows in others' })
  t.same(Object.keys(await readEveryTable(db)), ['others'])
})

t.test('restore takes a database whose tables have no rows, unless they are newer', async (t) => {
  const { service, bytes } = await openBackup(t)
  const { url, db } = await openEmpty(t)
  await migrate({ url })
  await runOnServer(url, "insert into migrations (name) values ('9999_of_the_future.sql')")
  await t.rejects(put(url, bytes), { message: 'its tables are newer than the backup' })
  await runOnServer(url, "delete from migrations where name like '9999%'")
  await put(url, bytes)
  t.same(await readEveryTable(db), await readEveryTable(service.db))
})

t.test('restore stores no row if the backup breaks off', async (t) => {
  const { bytes } = await openBackup(t)
  const { url, db } = await openEmpty(t)
  for (const part of [bytes.subarray(0, -100), Buffer.concat([bytes, bytes])])
    await t.rejects(put(url, part, 1_000))
  const { migrations: _, ...tables } = await readEveryTable(db)
  t.same(Object.values(tables).flat(), [])
  await put(url, bytes)
})

t.test('a backup is whole if nothing is lost, changed or added', async (t) => {
  const { bytes } = await openBackup(t)
  const lines = bytes.toString().split('\n')
  const without = (n: number) => Buffer.from(lines.toSpliced(n, 1).join('\n'))
  const changed = Buffer.from(bytes)
  changed.write('A', changed.indexOf('a text'))
  const FILES: [RegExp, Buffer][] = [
    [/not whole/, bytes.subarray(0, -2)],
    [/not whole/, bytes.subarray(0, bytes.length / 2)],
    [/not whole/, without(lines.length - 2)],
    [/not whole/, Buffer.alloc(0)],
    [/not as it was written/, changed],
    [/not as it was written/, without(lines.findIndex((line) => line.includes('a text')))],
    [/goes on behind its end/, Buffer.concat([bytes, bytes])],
    [/no backup of Afterword/, Buffer.from('{"format":"afterword","version":1}\n')],
    [/no backup of Afterword/, Buffer.from('null\n')],
    [/no backup of Afterword/, Buffer.from('a text\n')],
    [/version 2 of its form/, Buffer.from('{"format":"afterword-backup","version":2}\n')],
  ]
  for (const size of [1, 7, bytes.length]) {
    t.match(await verifyBackup(inPieces(bytes, size)), { format: 'afterword-backup' })
    for (const [message, wrong] of FILES)
      await t.rejects(verifyBackup(inPieces(wrong, size)), { message })
  }
  const long = Buffer.alloc(3_000_000, 'x')
  await t.rejects(verifyBackup(inPieces(long, 65_536)), { message: 'no backup of Afterword' })
})

t.test('an older backup gets the newer migrations, and a newer one is refused', async (t) => {
  const old = await openEmpty(t)
  const folder = t.testdir()
  const names = await listMigrations()
  for (const name of names.slice(0, 20)) cpSync(join(MIGRATIONS, name), join(folder, name))
  await migrate({ url: old.url, folder })
  await runOnServer(old.url, "insert into sites (slug, name) values ('old', 'Old')")
  const target = await openEmpty(t)
  await put(target.url, await take(old.url))
  t.match(await readEveryTable(target.db), {
    sites: [/"slug": "old"/],
    migrations: names.map((name) => `{"name": "${name}"}`),
  })
  await runOnServer(target.url, "insert into migrations (name) values ('9999_of_the_future.sql')")
  await t.rejects(verifyBackup(inPieces(await take(target.url), 1_000)), {
    message: /is from Afterword 1\.2\.3, which is newer than this one: .*9999_of_the_future\.sql/,
  })
})

t.test('restore leaves out a table that no migration makes', async (t) => {
  const { service } = await openBackup(t)
  await runOnServer(service.url, 'create table others as select 1 as n')
  const bytes = await take(service.url)
  const { url, db } = await openEmpty(t)
  t.match(await put(url, bytes), { leftOut: ['others'] })
  t.notOk('others' in (await readEveryTable(db)))
})
