import t from 'tap'
import { ARTICLE, guest, openNodes, openPosting } from './posting.ts'

t.test('slow mode accepts exactly one of an author’s concurrent posts', async (t) => {
  const { service, post } = await openPosting(t)
  await service.call('PATCH', `/v1/sites/default/articles/${ARTICLE}`, {
    token: service.adminKey,
    body: { slow_mode_seconds: 600 },
  })
  const results = await post(Array.from({ length: 8 }, (_, n) => ({ body: `post ${n}` })))
  t.equal(results.filter((result) => typeof result !== 'string').length, 1)
  t.same(new Set(results.filter((result) => typeof result === 'string')), new Set(['slow_mode']))
})

t.test(
  'slow mode accepts exactly one of an author’s concurrent posts to different nodes',
  async (t) => {
    const { service, post, publish } = await openPosting(t)
    const [first] = await publish([{ body: 'early', addressHash: Buffer.alloc(16, 9) }])
    await service.call('PATCH', `/v1/sites/default/articles/${ARTICLE}`, {
      token: service.adminKey,
      body: { slow_mode_seconds: 600 },
    })
    const nodes = openNodes(t, service)
    const byNetwork = { addressHash: Buffer.alloc(16, 1) }
    const results = (await Promise.all(nodes.map((node) => post([byNetwork], node)))).flat()
    t.equal(results.filter((result) => typeof result !== 'string').length, 1, 'a network')
    const { body } = await service.call('POST', '/v1/sites/default/guests', {
      body: { name: 'Eve' },
    })
    const author = await service.db
      .selectFrom('authors')
      .select('id')
      .orderBy('id', 'desc')
      .executeTakeFirstOrThrow()
    t.ok(first && body.guest_token)
    const byToken = nodes.map((node, n) =>
      post(
        [{ caller: guest(author.id), author: undefined, addressHash: Buffer.alloc(16, n + 20) }],
        node,
      ),
    )
    const taken = (await Promise.all(byToken)).flat().filter((result) => typeof result !== 'string')
    t.equal(taken.length, 1, 'a token')
  },
)
