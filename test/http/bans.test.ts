import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import { openSignOn, signToken } from '../members.ts'
import { recount } from '../recount.ts'
import { type Answer, type Call, openService, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'
const PROXIED = { trustedProxies: ['127.0.0.1'] }

type Json = Record<string, any>

const said = ({ status, body }: Answer): string => `${status} ${body?.code ?? body?.status ?? ''}`

const ban = (service: TestService, body: Json): Promise<Answer> =>
  service.call('POST', `${SITE}/moderation/bans`, {
    token: service.adminKey,
    body: { effect: 'block', ...body },
  })

const lift = (service: TestService, id: string): Promise<Answer> =>
  service.call('DELETE', `${SITE}/moderation/bans/${id}`, { token: service.adminKey })

/** The status that a new comment gets. */
const trying = async (
  service: TestService,
  call: Call = {},
  author: Json = {},
): Promise<string> => {
  const body = { body: 'x', ...(!call.token && { author: { name: 'Ada', ...author } }) }
  const headers = { 'idempotency-key': randomUUID(), ...call.headers }
  return said(await service.call('POST', `${SITE}/articles/a/comments`, { ...call, headers, body }))
}

const from = (address: string): Call => ({ headers: { 'x-forwarded-for': address } })

t.test('a blocked writer cannot write, and still reads and deletes', async (t) => {
  const service = await openService(t)
  const other = await service.post('a', 'of somebody else')
  const { author, id, guest_token: token } = await service.post('a', 'mine')
  const { status, body } = await ban(service, {
    kind: 'author',
    value: author.id,
    reason: 'abusive',
  })
  t.match({ status, body }, { status: 201, body: { value: author.id, in_force: true } })
  const send = (method: string, path: string, content: Json) =>
    service.call(method, `${SITE}${path}`, { token, body: content })
  t.equal(await trying(service, { token }), '403 banned')
  t.equal(said(await send('PATCH', `/comments/${id}`, { body: 'y' })), '403 banned')
  t.equal(said(await send('PUT', `/comments/${other.id}/vote`, { value: 1 })), '403 banned')
  const flag = await send('POST', `/comments/${other.id}/flags`, { reason: 'spam' })
  t.equal(said(flag), '403 banned')
  const viewer = await service.get('/articles/a/viewer', { token })
  t.match(viewer.body, { may_post: false, reason: 'banned', author: { id: author.id } })
  t.equal(await trying(service), '201 approved', 'others do write')
  t.equal((await service.call('DELETE', `${SITE}/comments/${id}`, { token })).status, 204)
})

t.test('a ban of a member follows the account', async (t) => {
  const service = await openService(t)
  await openSignOn(service)
  const token = await signToken({ sub: 'm', name: 'Mary' })
  const { author } = await service.post('a', 'x', {}, { token })
  await ban(service, { kind: 'author', value: author.id })
  const another = await signToken({ sub: 'm', name: 'Mary by another name' })
  t.equal(await trying(service, { token: another }), '403 banned')
})

t.test('a ban of a network applies to everyone in it but moderators', async (t) => {
  const service = await openService(t, PROXIED)
  await openSignOn(service)
  const moderator = await signToken({ sub: 'mod', name: 'Grace', role: 'moderator' })
  const { body } = await ban(service, { kind: 'network', value: '203.0.113.9/24' })
  t.equal(body.value, '203.0.113.0/24')
  await ban(service, { kind: 'network', value: '2001:db8:1:2::3' })
  for (const value of ['::ffff:198.51.100.7', '::FFFF:198.51.100.7/128'])
    t.equal((await ban(service, { kind: 'network', value })).body.value, '198.51.100.7/32')
  for (const [address, outcome] of [
    ['203.0.113.77', '403 banned'],
    ['::ffff:203.0.113.77', '403 banned'],
    ['198.51.100.7', '403 banned'],
    ['203.0.114.1', '201 approved'],
    ['2001:db8:1:2:ffff::1', '403 banned'],
    ['2001:db8:1:3::1', '201 approved'],
  ] as const)
    t.equal(await trying(service, from(address)), outcome, address)
  const guest = { name: 'Ada' }
  const made = await service.call('POST', `${SITE}/guests`, { ...from('203.0.113.1'), body: guest })
  t.equal(said(made), '403 banned')
  t.equal(await trying(service, { ...from('203.0.113.1'), token: moderator }), '201 approved')
  const key = await service.call('POST', `${SITE}/articles/a/comments`, {
    ...from('203.0.113.1'),
    token: service.adminKey,
    body: { body: 'x', author: guest },
  })
  t.equal(key.status, 201)
})

t.test('a ban of an e-mail matches its hash in any spelling, also of stored authors', async (t) => {
  const service = await openService(t)
  const early = await service.post('a', 'x', { author: { name: 'Eve', email: 'EVE@Example.org' } })
  const { body } = await ban(service, { kind: 'email', value: 'eve@example.ORG' })
  t.equal(body.value, '…@example.org')
  t.equal(await trying(service, {}, { email: 'Eve@EXAMPLE.org' }), '403 banned')
  t.equal(await trying(service, {}, { email: 'adam@example.org' }), '201 approved')
  t.equal(await trying(service, { token: early.guest_token }), '403 banned')
  const { rows } = await sql<Json>`select to_jsonb(b)::text as row from bans b`.execute(service.db)
  t.notMatch(rows[0]!.row, /eve/i)
})

t.test('a ban of an e-mail domain matches its subdomains', async (t) => {
  const service = await openService(t)
  await ban(service, { kind: 'email_domain', value: 'Trash.Example' })
  t.equal(await trying(service, {}, { email: 'a@trash.example' }), '403 banned')
  t.equal(await trying(service, {}, { email: 'a@mail.trash.example' }), '403 banned')
  t.equal(await trying(service, {}, { email: 'a@nottrash.example' }), '201 approved')
})

t.test('comments and edits of a held writer go to the queue, and the trace says why', async (t) => {
  const service = await openService(t)
  const { author, id, guest_token: token } = await service.post('a', 'early')
  const { body } = await ban(service, { kind: 'author', value: author.id, effect: 'hold' })
  t.equal(await trying(service, { token }), '202 pending')
  const edit = await service.call('PATCH', `${SITE}/comments/${id}`, { token, body: { body: 'y' } })
  t.equal(edit.status, 202)
  const { items } = (await service.get('/moderation/comments', { token: service.adminKey })).body
  for (const { trace, facts } of items) {
    const opinion = trace.find(({ rule }: Json) => rule === 'ban')
    t.match(opinion, { says: 'pending', counts: true })
    t.match(facts.bans, [{ id: body.id, effect: 'hold' }])
  }
  t.equal(items.length, 2)
})

t.test('a ban ends when it is lifted, or when its time is over', async (t) => {
  const service = await openService(t)
  const { author, guest_token: token } = await service.post('a', 'early')
  const first = (await ban(service, { kind: 'author', value: author.id })).body
  t.equal((await lift(service, first.id)).status, 204)
  t.equal((await lift(service, first.id)).status, 204, 'a second time it is no different')
  t.equal(await trying(service, { token }), '201 approved')
  const expires_at = new Date(Date.now() + 3_600_000).toISOString()
  const timed = (await ban(service, { kind: 'author', value: author.id, expires_at })).body
  t.equal(await trying(service, { token }), '403 banned')
  await sql`update bans set expires_at = clock_timestamp()`.execute(service.db)
  t.equal(await trying(service, { token }), '201 approved')
  const list = (query: string) =>
    service
      .get(`/moderation/bans${query}`, { token: service.adminKey })
      .then(({ body }) => body.items)
  t.match(await list(''), [
    { id: timed.id, in_force: false, lifted_at: null },
    { id: first.id, in_force: false, lifted_by: /^k/ },
  ])
  t.same(await list('?in_force=true'), [])
  const { body } = await service.get('/moderation/decisions', { token: service.adminKey })
  t.match(body.items, [
    { action: 'ban', subject: timed.id, after: { author_id: author.id, effect: 'block' } },
    { action: 'unban', subject: first.id, before: { effect: 'block' }, after: null },
    { action: 'ban', subject: first.id, before: null },
  ])
})

t.test('listBans finds the bans on a value, and those that contain it', async (t) => {
  const service = await openService(t)
  const { author } = await service.post('a', 'x')
  for (const [kind, value] of [
    ['network', '203.0.113.0/24'],
    ['network', '203.0.113.9'],
    ['network', '198.51.100.0/24'],
    ['email', 'Eve@example.org'],
    ['email_domain', 'trash.example'],
    ['author', author.id],
  ])
    await ban(service, { kind, value })
  const find = async (kind: string, value: string) => {
    const query = new URLSearchParams({ kind, value })
    const answer = await service.get(`/moderation/bans?${query.toString()}`, {
      token: service.adminKey,
    })
    return answer.body.items?.map((one: Json) => one.value) ?? said(answer)
  }
  t.same(await find('network', '203.0.113.9'), ['203.0.113.9/32', '203.0.113.0/24'])
  t.same(await find('network', '203.0.113.8'), ['203.0.113.0/24'])
  t.same(await find('network', '203.0.0.0/16'), [])
  t.same(await find('email', 'eve@EXAMPLE.org'), ['…@example.org'])
  t.same(await find('email', 'adam@example.org'), [])
  t.same(await find('email_domain', 'mail.trash.example'), ['trash.example'])
  t.same(await find('author', author.id), [author.id])
  t.equal(await find('network', 'x'), '400 invalid_request')
  const alone = await service.get('/moderation/bans?value=x', { token: service.adminKey })
  t.equal(said(alone), '400 invalid_request')
})

t.test('updateBan changes the terms of a ban, and its undo restores them', async (t) => {
  const service = await openService(t)
  const { author, guest_token: token } = await service.post('a', 'early')
  const call = { token: service.adminKey }
  const update = (id: string, body: Json) =>
    service.call('PATCH', `${SITE}/moderation/bans/${id}`, { ...call, body })
  const { id } = (await ban(service, { kind: 'author', value: author.id, reason: 'spam' })).body
  t.match(await update(id, { effect: 'hold', note: 'n' }), {
    status: 200,
    body: { id, value: author.id, effect: 'hold', reason: 'spam', note: 'n', in_force: true },
  })
  t.equal(await trying(service, { token }), '202 pending')
  t.equal((await update(id, { effect: 'hold' })).status, 200)
  const decisions = async () => (await service.get('/moderation/decisions', call)).body.items
  const [change] = await decisions()
  t.match(change, {
    action: 'ban_update',
    subject: id,
    before: { effect: 'block', note: null },
    after: { effect: 'hold', note: 'n' },
  })
  const undo = (decision: string) =>
    service.call('POST', `${SITE}/moderation/decisions/${decision}/undos`, call)
  t.match(await undo(change.id), { status: 201, body: { action: 'ban_update' } })
  t.equal(await trying(service, { token }), '403 banned')
  t.equal(said(await undo(change.id)), '409 decision_conflict')
  const until = new Date(Date.now() + 3_600_000).toISOString()
  t.match(await update(id, { expires_at: until }), { body: { expires_at: until, note: null } })
  t.match(await update(id, { expires_at: null }), { body: { expires_at: null } })
  t.equal(said(await update(id, { expires_at: '2020-01-01T00:00:00Z' })), '400 invalid_request')
  t.match(await update(id, { note: 'still' }), { body: { expires_at: null } })
  await lift(service, id)
  t.equal(said(await update(id, { note: 'late' })), '409 decision_conflict')
})

t.test('updateServiceBan changes a ban on all sites, and the audit log says so', async (t) => {
  const service = await openService(t)
  const call = { token: service.adminKey }
  const asked = { kind: 'email_domain', value: 'trash.example', effect: 'block' }
  const { body } = await service.call('POST', '/v1/bans', { ...call, body: asked })
  const change = { ...call, body: { effect: 'hold' } }
  t.equal((await service.call('PATCH', `${SITE}/moderation/bans/${body.id}`, change)).status, 404)
  t.match(await service.call('PATCH', `/v1/bans/${body.id}`, change), {
    status: 200,
    body: { effect: 'hold' },
  })
  t.equal(await trying(service, {}, { email: 'a@trash.example' }), '202 pending')
  const { items } = (await service.call('GET', '/v1/audit', call)).body
  t.match(items[0], { action: 'ban_updated', subject: body.id, after: { effect: 'hold' } })
})

t.test('bans are listed in pages, by kind and by author', async (t) => {
  const service = await openService(t)
  const { author } = await service.post('a', 'x')
  for (let n = 1; n <= 3; n++) await ban(service, { kind: 'network', value: `198.51.100.${n}` })
  await ban(service, { kind: 'author', value: author.id })
  const list = (query: string) =>
    service
      .get(`/moderation/bans?${query.toString()}`, { token: service.adminKey })
      .then(({ body }) => body)
  const page = await list('kind=network&limit=2')
  t.same(
    page.items.map(({ value }: Json) => value),
    ['198.51.100.3/32', '198.51.100.2/32'],
  )
  const rest = await list(`kind=network&limit=2&cursor=${page.next_cursor}`)
  t.match(rest, { items: [{ value: '198.51.100.1/32' }], next_cursor: null })
  t.equal((await list(`author_id=${author.id}`)).items.length, 1)
  const wrong = await service.get(`/moderation/bans?cursor=${page.next_cursor}`, {
    token: service.adminKey,
  })
  t.equal(said(wrong), '400 invalid_cursor')
})

t.test('a ban for all sites holds on each, and on none once it is lifted', async (t) => {
  const service = await openService(t, PROXIED)
  const admin = { token: service.adminKey }
  await service.call('POST', '/v1/sites', { ...admin, body: { slug: 'other', name: 'Other' } })
  const body = { kind: 'network', value: '203.0.113.0/24', effect: 'block' }
  const made = await service.call('POST', '/v1/bans', { ...admin, body })
  t.equal(made.status, 201)
  const post = async (site: string) =>
    said(
      await service.call('POST', `/v1/sites/${site}/articles/a/comments`, {
        ...from('203.0.113.5'),
        body: { body: 'x', author: { name: 'Ada' } },
      }),
    )
  t.same([await post('default'), await post('other')], ['403 banned', '403 banned'])
  t.same((await service.get('/moderation/bans', admin)).body.items, [], 'no site lists it')
  t.equal((await lift(service, made.body.id)).status, 404, 'nor lifts it')
  await service.call('DELETE', `/v1/bans/${made.body.id}`, admin)
  t.equal(await post('other'), '201 approved')
  const audit = await service.call('GET', '/v1/audit', admin)
  t.match(audit.body.items, [{ action: 'ban_lifted' }, { action: 'ban_created', site: null }])
  t.notMatch(audit.text, '203.0.113')
})

t.test('createBan refuses a subject that cannot be banned, and says why', async (t) => {
  const service = await openService(t)
  await openSignOn(service)
  const token = await signToken({ sub: 'mod', name: 'Grace', role: 'moderator' })
  const { author: staff } = await service.post('a', 'x', {}, { token })
  const faults: [Json, string][] = [
    [{ kind: 'author', value: staff.id }, '/value'],
    [{ kind: 'author', value: 'azzzz' }, '/value'],
    [{ kind: 'author', value: 'nonsense' }, '/value'],
    [{ kind: 'network', value: '0.0.0.0/0' }, '/value'],
    [{ kind: 'network', value: '10.0.0.0/7' }, '/value'],
    [{ kind: 'network', value: '::/0' }, '/value'],
    [{ kind: 'network', value: '2001::/18' }, '/value'],
    [{ kind: 'network', value: '10.0.0.0/33' }, '/value'],
    [{ kind: 'network', value: '10.0.0' }, '/value'],
    [{ kind: 'network', value: 'fe80::1%eth0' }, '/value'],
    [{ kind: 'email', value: 'example.org' }, '/value'],
    [{ kind: 'email_domain', value: 'org' }, '/value'],
    [{ kind: 'email_domain', value: 'a@example.org' }, '/value'],
    [{ kind: 'ip', value: '10.0.0.1' }, '/kind'],
    [{ kind: 'network', value: '10.0.0.1', effect: 'hide' }, '/effect'],
    [{ kind: 'network', value: '10.0.0.1', expires_at: '2020-01-01T00:00:00Z' }, '/expires_at'],
  ]
  for (const [body, pointer] of faults) {
    const answer = await ban(service, body)
    t.equal(said(answer), '400 invalid_request', JSON.stringify(body))
    t.equal(answer.body.errors[0].pointer, pointer, JSON.stringify(body))
  }
  const ofService = await service.call('POST', '/v1/bans', {
    token: service.adminKey,
    body: { kind: 'author', value: staff.id, effect: 'block' },
  })
  t.match(ofService, { status: 400, body: { errors: [{ pointer: '/kind' }] } })
  const { rows } = await sql`select 1 from bans`.execute(service.db)
  t.equal(rows.length, 0, 'a refusal leaves nothing behind')
})

const openActing = (service: TestService) => {
  const send = (method: string, path: string, body?: Json, call: Call = {}): Promise<Answer> =>
    service.call(method, `${SITE}${path}`, { token: service.adminKey, body, ...call })
  return {
    send,
    ban: (body: Json, call?: Call) =>
      send('POST', '/moderation/bans', { effect: 'block', ...body }, call),
    undoBatch: (id: string) => send('POST', `/moderation/batches/${id}/undos`),
    count: async (): Promise<number> => (await service.get('/articles/a')).body.comment_count,
    /** The thread that readers see. */
    texts: async (): Promise<string[]> =>
      (await service.get('/articles/a/comments?view=flat&sort=oldest')).body.items.map(
        ({ body }: Json) => body,
      ),
  }
}

const codeOf = ({ status, body }: Answer): string => `${status} ${body?.code ?? ''}`

t.test(
  'a ban of an author hides the author’s comments once, and undoBatch restores them',
  async (t) => {
    const service = await openService(t)
    const { send, ban, undoBatch, count, texts } = openActing(service)
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
      codeOf(
        await service.call('POST', `${SITE}/articles/a/comments`, { token, body: { body: 'x' } }),
      ),
      '403 banned',
    )
  },
)

t.test('a ban keeps existing comments by default, and takes none out of spam', async (t) => {
  const service = await openService(t)
  const { send, ban, texts } = openActing(service)
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
    const { ban, undoBatch, count, texts } = openActing(service)
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
    const { ban, undoBatch, texts } = openActing(service)
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
