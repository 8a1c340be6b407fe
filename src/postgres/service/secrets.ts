import type { Db } from '../connection/db.ts'

/** The secret of that name: the one that is stored, or else this one, stored now. Nodes that start at once agree. */
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
