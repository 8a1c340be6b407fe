import t from 'tap'
import { openWorld } from '../world.ts'

t.test('a comment that was posted is in its thread', async (t) => {
  const { post, get } = await openWorld(t)
  const root = await post('hello', 'First!')
  await post('hello', 'Indeed.', { parent_id: root.id })
  const { body } = await get('/articles/hello/comments')
  t.equal(body.thread.comment_count, 2)
  t.equal(body.items[0].replies.items[0].body, 'Indeed.')
})
