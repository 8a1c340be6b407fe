import t from 'tap'
import { seed } from '../../bench/seed/seed.ts'
import { createDb } from '../../src/postgres/connection/db.ts'
import { recount } from '../recount.ts'
import { createDatabase } from '../servers.ts'

t.test('the seed of the bench stores the counts that a recount finds', async (t) => {
  const { url } = await createDatabase(t)
  const seeded = await seed(url, { comments: 2_300, large: [500, 300] })
  const { db, close } = createDb({ url, max: 1, onError: () => {} })
  t.teardown(close)
  const differences = await recount(db)
  t.same(
    differences.filter((difference) => !/(up|down)votes/.test(difference)),
    [],
    'but for votes: the bulk has the sums of voters that there are not',
  )
  t.match(seeded, { threads: 15, largeArticles: { 500: 16, 300: 17 } })
  const { comments, indexes, named } = await db
    .selectFrom('comments')
    .select((eb) => [
      eb.fn.countAll<number>().as('comments'),
      eb
        .selectFrom('pg_indexes' as never)
        .select(eb.fn.countAll().as('n'))
        .where('tablename' as never, '=', 'comments' as never)
        .as('indexes'),
      eb
        .selectFrom('threads')
        .select(eb.fn.countAll().as('n'))
        .where('articleId', '=', '17')
        .where('id', '=', 17)
        .as('named'),
    ])
    .executeTakeFirstOrThrow()
  t.same({ comments, indexes, named }, { comments: 2_300, indexes: 14, named: 1 })
})
