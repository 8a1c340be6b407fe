import pg from 'pg'
import t from 'tap'
import { startService } from './own-service.ts'

t.test('readers get responses while many writers wait for one thread', async (t) => {
  const { post, read, url } = await startService(t)
  const { body } = await post('busy', 'one')
  await post('quiet', 'one')
  const threadId = Number.parseInt(body.id.slice(1).split('-')[0]!, 36)
  const holder = new pg.Client({ connectionString: url })
  await holder.connect()
  await holder.query('select pg_advisory_lock($1)', [threadId])
  const waiting = Array.from({ length: 20 }, (_, n) => post('busy', `waiting ${n}`))
  const settled = Promise.all(waiting).then(() => 'writers')
  const reader = read('quiet').then(({ status }) => status)
  t.equal(await Promise.race([reader, settled]), 200, 'before any writer')
  await holder.end()
  await settled
})
