import type { Db } from '../connection/db.ts'

/** The stored secret of that name, or else this one, which is stored now. Nodes that start together agree. */
export const ensureSecret = async (db: Db, name: string, made: Buffer): Promise<Buffer> => {
  await db
    .insertInto('secrets')
    .values({ name, value: made })
    .onConflict((c) => c.doNothing())
    .execute()
  const row = await db
    .selectFrom('secrets')
    .select('value')
    .where('name', '=', name)
    .executeTakeFirstOrThrow()
  return row.value
}
