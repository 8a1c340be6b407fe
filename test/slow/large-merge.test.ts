import t from 'tap'
import { said } from '../http/moderator.ts'
import { until } from '../start.ts'
import { recountAll } from '../usecases/large-batch.ts'
import { countVisible, openMerging, print, seeded } from '../usecases/moving/large-merge.ts'

/** The machine may have other things to do. */
const PATIENCE_MS = 900_000

t.test('a merge of 50,000 comments is undone', async (t) => {
  t.setTimeout(PATIENCE_MS)
  const { service, merge, undoBatch, ended } = await openMerging(t, {
    comments: 50_000,
    branch: 40,
  })
  const before = await print(service)
  const merged = await merge('a', 'b')
  t.equal(merged.status, 202)
  const all = { total: 50_000, done: 50_000, changed: 50_000 }
  t.match(await until('the merge', () => ended(merged.body.id), PATIENCE_MS), all)
  t.same(await countVisible(service), { b: 45_001, a: 0 })
  t.same(await recountAll(service), [])
  const undone = (await undoBatch(merged.body.id)).body.batch
  t.match(await until('the undo', () => ended(undone.id), PATIENCE_MS), all)
  t.same(await print(service), before)
})

t.test('the undo of a large merge is undone', async (t) => {
  t.setTimeout(PATIENCE_MS)
  const { service, merge, undoBatch, ended } = await openMerging(t, { comments: 6_000, branch: 12 })
  const merged = await merge('a', 'b')
  await until('the merge', () => ended(merged.body.id), PATIENCE_MS)
  const after = await countVisible(service)
  const undone = (await undoBatch(merged.body.id)).body.batch
  await until('the undo', () => ended(undone.id), PATIENCE_MS)
  const again = (await undoBatch(undone.id)).body.batch
  t.match(await until('the second undo', () => ended(again.id), PATIENCE_MS), { changed: 6_000 })
  t.same(await countVisible(service), after)
  t.match((await service.get('/articles/a')).body, { state: 'closed' })
  t.same(await recountAll(service), [])
})

t.test('the undo of a large merge leaves what moved again where it is', async (t) => {
  t.setTimeout(PATIENCE_MS)
  const { service, send, merge, undoBatch, ended } = await openMerging(t, {
    comments: 6_000,
    branch: 500,
  })
  const merged = await merge('a', 'b')
  await until('the merge', () => ended(merged.body.id), PATIENCE_MS)
  await send('POST', `/comments/${seeded(500)}/moves`, { article_id: 'c' })
  const late = await service.post('b', 'late', { parent_id: seeded(1_000) })
  const undo = await undoBatch(merged.body.id)
  const batch = await until('the undo', () => ended(undo.body.batch.id), PATIENCE_MS)
  t.match(batch, { changed: 5_501, outcomes: { changed: 5_501, decision_conflict: 1 } })
  t.match((await service.get(`/comments/${seeded(500)}`)).body, { article_id: 'c' })
  t.match((await service.get(`/comments/${late.id}`)).body, { article_id: 'a' })
  t.match((await service.get('/articles/a')).body, { state: 'open' })
  t.same(await recountAll(service), [])
})

t.test('a merge of more than 200,000 comments is refused', async (t) => {
  t.setTimeout(PATIENCE_MS)
  const { service, merge } = await openMerging(t, { comments: 200_001, branch: 40 })
  t.equal(said(await merge('a', 'b')), '409 move_not_allowed')
  t.match((await service.get('/articles/a')).body, { state: 'open' })
})

t.test('a merge moves a branch of 20,000 comments, and refuses a larger one', async (t) => {
  t.setTimeout(PATIENCE_MS)
  const moved = await openMerging(t, { comments: 20_000, branch: 20_000 })
  const { body } = await moved.merge('a', 'b')
  t.match(await until('the merge', () => moved.ended(body.id), PATIENCE_MS), { changed: 20_000 })
  const refused = await openMerging(t, { comments: 20_001, branch: 20_001 })
  t.equal(said(await refused.merge('a', 'b')), '409 move_not_allowed')
})
