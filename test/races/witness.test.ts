import t from 'tap'
import { FIRST, IDS } from '../ids.ts'
import type { Answer } from './client.ts'
import { createWitness } from './witness.ts'

const answer = (body: object, begun = performance.now()): Answer => ({
  status: 200,
  headers: {},
  bytes: Buffer.alloc(0),
  text: JSON.stringify(body),
  begun,
  ended: begun + 1,
})

const SECOND = IDS.writeComment({ threadId: 1, id: 2 })

const thread = { article_id: 'a', comment_count: 1, version: 8 }
const item = { id: SECOND, article_id: 'a', body: 'Some mark2x text' }

/** Two comments were posted, and the first of them was hidden. */
const openWitness = () => {
  const witness = createWitness('a')
  witness.posting()
  witness.posting()
  const at = performance.now()
  witness.hid({ gone: [FIRST, 'mark1x'], comments: 1, version: 7, at })
  return { judge: witness.judge, at }
}

t.test('the witness accepts responses that may be shown', async (t) => {
  const { judge, at } = openWitness()
  const hidden = { items: [{ id: FIRST, body: 'Some mark1x text' }] }
  for (const body of [
    { thread, items: [item], next_cursor: null },
    thread,
    { a: { comment_count: 1 } },
    { items: [{ article_id: 'a', comment_count: 1 }] },
    { article_id: 'b', comment_count: 9, version: 1 },
  ])
    t.same(judge(answer(body)), [])
  t.same(judge(answer(hidden, at - 1)), [], 'to who had asked before')
})

t.test('the witness finds a hidden comment in every shape of response', async (t) => {
  const { judge } = openWitness()
  for (const [body, fault] of [
    [{ items: [{ ...item, body: 'Some mark1x text' }] }, /shows mark1x/],
    [{ items: [{ ...item, parent_id: FIRST }] }, new RegExp(`shows ${FIRST}`)],
    [{ ...thread, version: 6 }, /version 6, not 7/],
    [{ thread: { ...thread, version: 6 } }, /version 6, not 7/],
    [{ ...thread, comment_count: 2 }, /counts 2: 2 were posted, 1 hidden/],
    [{ a: { comment_count: 2 } }, /counts 2/],
    [{ items: [{ article_id: 'a', comment_count: 2 }] }, /counts 2/],
    [{ thread, items: [], next_cursor: null }, /counts 1 and lists 0/],
  ] as const)
    t.match(judge(answer(body)).join(), fault)
})
