import t from 'tap'
import { openService } from '../service.ts'

/** A comment whose HTML is nine times its text: the largest that ten thousand characters make. */
const LARGE = 'http://a\n'.repeat(1_111)
t.test('focus shows a comment, however large its ancestors are', async (t) => {
  const service = await openService(t)
  let parent: string | null = null
  for (let n = 0; n < 30; n++) {
    parent = (await service.post('deep', LARGE, parent === null ? {} : { parent_id: parent })).id
  }
  const { status, text } = await service.get(`/articles/deep/comments?focus=${parent}`)
  t.equal(status, 200)
  t.ok(text.includes(`"id":"${parent}"`))
})
