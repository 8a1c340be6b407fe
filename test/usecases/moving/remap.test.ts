import t from 'tap'
import { until } from '../../start.ts'
import { recountAll } from '../large-batch.ts'
import { countVisible, openMerging } from './large-merge.ts'

type Json = Record<string, any>

t.test('a remap waits for the merge of a large thread, and then its id is an alias', async (t) => {
  const { service, send, ended } = await openMerging(t, { comments: 6_000, branch: 12 })
  const { a, b } = (await countVisible(service)) as { a: number; b: number }
  await service.post('a2', 'after it')
  const rules = [
    { from_prefix: 'a2', to_prefix: 'b2' },
    { from_prefix: 'a', to_prefix: 'b' },
  ]
  const dryRun = await send('POST', '/articles/remaps', { rules, dry_run: true })
  t.match(dryRun.body, { renamed: 1, merged: 1, aliases: 0 })
  const { status, body: batch } = await send('POST', '/articles/remaps', { rules })
  t.equal(status, 202)
  const done = (await until('the remap has ended', () => ended(batch.id))) as Json
  t.match(done, { total: 3, done: 3, changed: 2 })
  t.match((await service.get('/articles/a')).body, { article_id: 'b', comment_count: a + b })
  t.match((await service.get('/articles/a2')).body, { article_id: 'b2', comment_count: 1 })
  t.same(await recountAll(service), [])
})
