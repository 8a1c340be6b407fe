import t from 'tap'
import { openService, type TestService } from '../service.ts'

/** A comment whose HTML is nine times its text: the largest that ten thousand characters make. */
const LARGE = 'http://a\n'.repeat(1_111)
const TWO_MEBIBYTES = 2 * 1_048_576

/** 20 roots with 3 replies each: some eight megabytes of text. */
const plantLargeThread = async ({ post }: TestService): Promise<string[]> => {
  const ids: string[] = []
  for (let n = 0; n < 20; n++) {
    const root = await post('large', LARGE)
    ids.push(root.id)
    for (let m = 0; m < 3; m++) ids.push((await post('large', LARGE, { parent_id: root.id })).id)
  }
  return ids
}

t.test('a page holds two mebibytes of text at most, and a walk still shows all', async (t) => {
  const service = await openService(t)
  const ids = await plantLargeThread(service)
  const sizes: number[] = []
  const seen: string[] = []
  const walk = async (path: string, from: string | null = null): Promise<void> => {
    for (let cursor = from; ; ) {
      const query = cursor === null ? '' : `&cursor=${cursor}`
      const { body, text } = await service.get(`${path}?limit=100${query}`)
      sizes.push(text.length)
      for (const item of body.items) await visit(item)
      cursor = body.next_cursor
      if (cursor === null) return
    }
  }
  const visit = async ({ id, replies }: any): Promise<void> => {
    seen.push(id)
    for (const reply of replies?.items ?? []) await visit(reply)
    if (replies?.next_cursor) await walk(`/comments/${id}/replies`, replies.next_cursor)
  }
  for (const path of ['/articles/large/comments', '/comments']) {
    seen.length = 0
    await walk(path)
    t.same(seen.toSorted(), ids.toSorted(), path)
  }
  const flat = await service.get('/articles/large/comments?view=flat&limit=100')
  t.ok(flat.body.items.length < 100 && flat.body.next_cursor !== null)
  t.ok(Math.max(...sizes) < 1.2 * TWO_MEBIBYTES, `largest page: ${Math.max(...sizes)} bytes`)
})
