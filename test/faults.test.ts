import pg from 'pg'
import t from 'tap'
import { startService } from './own-service.ts'

t.test('readers get responses while many writers wait for one thread', async (t) => {
  const { post, read, url } = await startService(t)
  await post('busy', 'one')
  await post('quiet', 'one')
  const holder = new pg.Client({ connectionString: url })
  await holder.connect()
  await holder.query("select pg_advisory_lock(id) from threads where article_id = 'busy'")
  const waiting = Array.from({ length: 20 }, (_, n) => post('busy', `waiting ${n}`))
  const settled = Promise.all(waiting).then(() => 'writers')
  const reader = read('quiet').then(({ status }) => status)
  t.equal(await Promise.race([reader, settled]), 200, 'before any writer')
  await holder.end()
  await settled
})
