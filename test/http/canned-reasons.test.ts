import t from 'tap'
import { openService, type TestService } from '../service.ts'

const REASONS = '/v1/sites/default/moderation/canned-reasons'
const SPAM = { title: 'Advertising', reason: 'spam', note: 'Please do not advertise here.' }

const asAdmin = ({ call, adminKey: token }: TestService) => ({
  create: (body: object, headers = {}) => call('POST', REASONS, { token, body, headers }),
  change: (id: string, body: object) => call('PATCH', `${REASONS}/${id}`, { token, body }),
  remove: (id: string) => call('DELETE', `${REASONS}/${id}`, { token }),
  list: (query = '') => call('GET', `${REASONS}${query}`, { token }),
  audit: async () => (await call('GET', '/v1/sites/default/audit', { token })).body.items,
})

t.test(
  'a canned reason is created, listed, changed and deleted, each with an audit entry',
  async (t) => {
    const { create, change, remove, list, audit } = asAdmin(await openService(t))
    const { status, body } = await create(SPAM)
    t.equal(status, 201)
    t.match(body, { id: /^r[\w-]{22}$/, ...SPAM })
    t.same((await list()).body, { items: [body], next_cursor: null })
    const changed = await change(body.id, { title: 'Advertising, again' })
    t.same(changed.body, { ...body, title: 'Advertising, again' })
    t.equal((await remove(body.id)).status, 204)
    t.same((await list()).body.items, [])
    t.equal((await remove(body.id)).status, 404)
    t.equal((await change(body.id, { note: 'x' })).status, 404)
    t.equal((await remove('nonsense')).status, 404)
    const [deleted, updated, created] = await audit()
    t.match(created, { action: 'reason_created', subject: body.id, before: null, after: SPAM })
    t.match(updated, { action: 'reason_updated', before: SPAM })
    t.same(updated.after, { ...SPAM, title: 'Advertising, again' })
    t.match(deleted, { action: 'reason_deleted', subject: body.id, after: null })
  },
)

t.test('the texts of a canned reason are valid as reason and note of a decision', async (t) => {
  const service = await openService(t)
  const { reason, note } = (await asAdmin(service).create(SPAM)).body
  const comment = await service.post('a', 'buy!')
  const { status, body } = await service.decide(comment.id, 'approved', 'spam', { reason, note })
  t.equal(status, 201)
  t.match(body, { reason: SPAM.reason, note: SPAM.note })
})

t.test('listCannedReasons gives all reasons in order, page by page', async (t) => {
  const { create, list } = asAdmin(await openService(t))
  for (const title of ['one', 'two', 'three']) await create({ ...SPAM, title })
  const first = (await list('?limit=2')).body
  const rest = (await list(`?limit=2&cursor=${first.next_cursor}`)).body
  const titles = [...first.items, ...rest.items].map((item: { title: string }) => item.title)
  t.same(titles, ['one', 'two', 'three'])
  t.equal(rest.next_cursor, null)
  t.match(await list('?cursor=nonsense'), { status: 400, body: { code: 'invalid_cursor' } })
})

t.test('a site has at most 100 canned reasons, also when two are created together', async (t) => {
  const { create, list } = asAdmin(await openService(t))
  for (let n = 0; n < 99; n++) await create({ ...SPAM, title: `${n}` })
  const answers = await Promise.all([create(SPAM), create(SPAM)])
  t.same(new Set(answers.map(({ status }) => status)), new Set([201, 400]))
  t.match(
    answers.find(({ status }) => status === 400),
    { body: { code: 'invalid_request', errors: [{ pointer: '' }] } },
  )
  t.equal((await list('?limit=100')).body.items.length, 100)
})

t.test('createCannedReason refuses invalid reasons and names the field', async (t) => {
  const { create, change } = asAdmin(await openService(t))
  const { id } = (await create(SPAM)).body
  for (const [fault, pointer] of [
    [{ title: '' }, '/title'],
    [{ title: 'two\nlines' }, '/title'],
    [{ reason: 'because' }, '/reason'],
    [{ note: '' }, '/note'],
    [{ note: 'x'.repeat(2001) }, '/note'],
    [{ more: 1 }, '/more'],
  ] as const)
    for (const answer of [await create({ ...SPAM, ...fault }), await change(id, fault)])
      t.match(answer, { status: 400, body: { code: 'invalid_request', errors: [{ pointer }] } })
  t.equal((await change(id, {})).status, 400)
})

t.test('one Idempotency-Key creates one canned reason, on its site only', async (t) => {
  const service = await openService(t)
  const { create, list } = asAdmin(service)
  const headers = { 'idempotency-key': 'the-same-key-twice' }
  const [first, second] = [await create(SPAM, headers), await create(SPAM, headers)]
  t.equal(first.text, second.text)
  t.equal((await list()).body.items.length, 1)
  const token = service.adminKey
  await service.call('POST', '/v1/sites', { token, body: { slug: 'other', name: 'Other' } })
  const other = '/v1/sites/other/moderation/canned-reasons'
  t.same((await service.call('GET', other, { token })).body.items, [])
  t.equal((await service.call('DELETE', `${other}/${first.body.id}`, { token })).status, 404)
})
