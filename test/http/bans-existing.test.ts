import t from 'tap'
import { openSignOn, signToken } from '../members.ts'
import { recount } from '../recount.ts'
import { type Answer, type Call, openService, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'
const PROXIED = { trustedProxies: ['127.0.0.1'] }

type Json = Record<string, any>

const open = (service: TestService) => {
  const send = (method: string, path: string, body?: Json, call: Call = {}): Promise<Answer> =>
    service.call(method, `${SITE}${path}`, { token: service.adminKey, body, ...call })
  return {
    send,
    ban: (body: Json, call?: Call) =>
      send('POST', '/moderation/bans', { effect: 'block', ...body }, call),
    undoBatch: (id: string) => send('POST', `/moderation/batches/${id}/undos`),
    count: async (): Promise<number> => (await service.get('/articles/a')).body.comment_count,
    /** What readers see. */
    texts: async (): Promise<string[]> =>
      (await service.get('/articles/a/comments?view=flat&sort=oldest')).body.items.map(
        ({ body }: Json) => body,
      ),
  }
}

const said = ({ status, body }: Answer): string => `${status} ${body?.code ?? ''}`

t.test(
  'a ban of an author hides the author’s comments once, and undoBatch restores them',
  async (t) => {
    const service = await openService(t)
    const { send, ban, undoBatch, count, texts } = open(service)
    const other = await service.post('a', 'of another')
    const { author, guest_token: token } = await service.post('a', 'first')
    await service.post('a', 'a reply', { parent_id: other.id }, { token })
    const asked = {
      kind: 'author',
      value: author.id,
      existing_comments: 'rejected',
      reason: 'abusive',
    }
    const once = { headers: { 'idempotency-key': 'ban-of-an-author-1' } }
    const { status, body } = await ban(asked, once)
    t.match({ status, body }, { status: 201, body: { value: author.id, batch_id: /^b/ } })
    t.match((await ban(asked, once)).body, { id: body.id, batch_id: body.batch_id })
    t.same([await count(), await texts()], [1, ['of another']])
    t.same(await recount(service.db), [])
    const batch = (await send('GET', `/moderation/batches/${body.batch_id}`)).body
    t.match(batch, { kind: 'decide', to: 'rejected', total: 2, changed: 2, ended_at: String })
    const { items } = (await send('GET', '/moderation/decisions')).body
    t.match(items, [
      { action: 'status', to: 'rejected', reason: 'abusive', batch_id: body.batch_id },
      { action: 'status', to: 'rejected', reason: 'abusive', batch_id: body.batch_id },
      { action: 'ban', subject: body.id, batch_id: null, after: { batch_id: body.batch_id } },
    ])
    t.match((await undoBatch(body.batch_id)).body, { total: 2, outcomes: { changed: 2 } })
    t.equal((await texts()).length, 3)
    t.same(await recount(service.db), [])
    t.equal(
      said(
        await service.call('POST', `${SITE}/articles/a/comments`, { token, body: { body: 'x' } }),
      ),
      '403 banned',
    )
  },
)

t.test('a ban keeps existing comments by default, and takes none out of spam', async (t) => {
  const service = await openService(t)
  const { send, ban, texts } = open(service)
  const { author, id, guest_token: token } = await service.post('a', 'spam')
  await send('POST', `/comments/${id}/decisions`, { from: 'approved', to: 'spam' })
  await service.post('a', 'published', {}, { token })
  const target = { kind: 'author', value: author.id }
  t.equal((await ban(target)).body.batch_id, null)
  t.same(await texts(), ['published'])
  const statuses = async (existing: string) => {
    await ban({ ...target, existing_comments: existing })
    const query = 'status=pending&status=approved&status=spam&status=rejected&status=deleted'
    const { items } = (await send('GET', `/moderation/comments?${query}&sort=oldest`)).body
    return Object.fromEntries(items.map(({ body, status }: Json) => [body, status]))
  }
  t.same(await statuses('pending'), { spam: 'spam', published: 'pending' })
  t.same(await statuses('rejected'), { spam: 'spam', published: 'rejected' })
  t.same(await statuses('deleted'), { spam: 'deleted', published: 'deleted' })
  t.same(await recount(service.db), [])
})

t.test(
  'a ban of an e-mail or its domain hides comments written with it in any spelling',
  async (t) => {
    const service = await openService(t)
    await openSignOn(service)
    const { ban, undoBatch, count, texts } = open(service)
    const write = (text: string, email: string) =>
      service.post('a', text, { author: { name: 'Eve', email } })
    await write('one', 'Eve@Mail.Example.org')
    await write('two', 'adam@example.org')
    await write('three', 'adam@notexample.org')
    await write('four', 'x@bücher.example')
    const staff = { sub: 'mod', name: 'Grace', role: 'moderator', email: 'g@example.org' }
    await service.post('a', 'of the staff', {}, { token: await signToken(staff) })
    await ban({ kind: 'email', value: 'eve@mail.example.org', existing_comments: 'spam' })
    t.same(await texts(), ['two', 'three', 'four', 'of the staff'])
    await ban({ kind: 'email_domain', value: 'xn--bcher-kva.example', existing_comments: 'spam' })
    const { body } = await ban({
      kind: 'email_domain',
      value: 'EXAMPLE.org',
      existing_comments: 'rejected',
    })
    t.same(await texts(), ['three', 'of the staff'])
    t.equal(await count(), 2)
    t.same(await recount(service.db), [])
    await undoBatch(body.batch_id)
    t.same(await texts(), ['two', 'three', 'of the staff'])
    t.same(await recount(service.db), [])
  },
)

t.test(
  'a ban of a network hides comments from it, as long as their addresses are kept',
  async (t) => {
    const service = await openService(t, PROXIED)
    const { ban, undoBatch, texts } = open(service)
    const write = (address: string) =>
      service.post('a', address, {}, { headers: { 'x-forwarded-for': address } })
    for (const address of ['203.0.113.5', '203.0.113.6', '203.0.200.1', '2001:db8:1:2::3'])
      await write(address)
    await write('nonsense')
    const part = await ban({
      kind: 'network',
      value: '203.0.113.0/25',
      existing_comments: 'rejected',
    })
    t.ok(part.body.batch_id)
    t.equal((await texts()).length, 5, 'of a part of what is kept nothing is certain')
    await ban({ kind: 'network', value: '203.0.113.5', existing_comments: 'rejected' })
    t.same((await texts()).length, 4, 'one address is told by its hash')
    await ban({ kind: 'network', value: '2001:db8:1:2::ff', existing_comments: 'rejected' })
    const { body } = await ban({
      kind: 'network',
      value: '203.0.0.0/16',
      existing_comments: 'rejected',
    })
    t.same(await texts(), ['nonsense'])
    await undoBatch(body.batch_id)
    t.same(await texts(), ['203.0.113.6', '203.0.200.1', 'nonsense'])
    t.same(await recount(service.db), [])
  },
)

t.test('a ban from all sites keeps existing comments', async (t) => {
  const service = await openService(t)
  const answer = await service.call('POST', '/v1/bans', {
    token: service.adminKey,
    body: {
      kind: 'email_domain',
      value: 'example.org',
      effect: 'block',
      existing_comments: 'rejected',
    },
  })
  t.match(answer, { status: 400, body: { errors: [{ pointer: '/existing_comments' }] } })
})
