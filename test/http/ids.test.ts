import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { readCursor, writeCursor } from '../../src/http/wire/cursors.ts'
import { deriveKeys } from '../../src/http/wire/keys.ts'
import { createPublicIds } from '../../src/http/wire/public-ids.ts'
import { insertSite } from '../../src/postgres/service/sites.ts'
import { ID_SECRET, IDS, idsOf } from '../ids.ts'
import { runs } from '../lengths.ts'
import { openService } from '../service.ts'

type Json = Record<string, any>

const KINDS = [
  'author',
  'batch',
  'decision',
  'auditEntry',
  'key',
  'note',
  'appeal',
  'reason',
  'ban',
] as const
/** Of bans and keys, one list has those of every site. */
const OF_ONE_SITE = KINDS.filter((kind) => kind !== 'key' && kind !== 'ban')

const kind = fc.constantFrom(...KINDS)
const row = fc.oneof(
  fc.integer({ min: 1, max: 100 }),
  fc.maxSafeNat().filter((id) => id > 0),
)
const text = fc.oneof(
  fc.string(),
  fc.stringMatching(/^[abcdeknprx][\w-]{22}$/),
  fc.stringMatching(/^[abcdeknprx][1-9a-z][0-9a-z]{0,10}$/),
)

t.test('a public id gives back its number, to its own site and kind alone', async () => {
  const property = fc.property(kind, kind, row, row, (of, other, a, b) => {
    const id = IDS.write(of, a)
    assert.equal(IDS.read(of, id), a)
    assert.equal(IDS.write(of, b) === id, a === b)
    if (of !== other) assert.equal(IDS.read(other, other[0] + id.slice(1)), undefined)
    assert.equal(IDS.readComment(`c${id.slice(1)}`), undefined)
    if (OF_ONE_SITE.some((kind) => kind === of)) assert.equal(idsOf(2).read(of, id), undefined)
  })
  fc.assert(property, { numRuns: runs(200, 20_000) })
})

t.test('the id of a comment gives back its thread and number, to its own site alone', async () => {
  const property = fc.property(row, row, row, (threadId, id, homeThreadId) => {
    const written = IDS.writeComment({ threadId, id, homeThreadId })
    assert.deepEqual(IDS.readComment(written), { threadId: homeThreadId, id })
    assert.equal(written, IDS.writeComment({ threadId: homeThreadId, id }))
    assert.equal(idsOf(2).readComment(written), undefined)
    assert.equal(idsOf(null).readComment(written), undefined)
    assert.equal(IDS.read('author', `a${written.slice(1)}`), undefined)
  })
  fc.assert(property, { numRuns: runs(200, 20_000) })
})

t.test('ids of comments that are prepared together are the ids written one by one', async () => {
  const comment = fc.record({
    threadId: row,
    id: row,
    homeThreadId: fc.option(row),
    author: fc.record({ id: row }),
  })
  const sites = fc.constantFrom(null, 1, 2)
  const lists = fc.array(fc.tuple(sites, fc.array(comment, { maxLength: 40 })), { maxLength: 4 })
  const property = fc.property(lists, (lists) => {
    const together = createPublicIds(Buffer.from(ID_SECRET))
    for (const [siteId, comments] of lists) {
      const alone = createPublicIds(Buffer.from(ID_SECRET))(siteId)
      together(siteId).prepareComments(comments)
      for (const one of comments) {
        assert.equal(together(siteId).writeComment(one), alone.writeComment(one))
        const { id } = one.author
        assert.equal(together(siteId).write('author', id), alone.write('author', id))
      }
    }
  })
  fc.assert(property, { numRuns: runs(100, 5_000) })
})

t.test('a text that no site wrote is the id of nothing', async () => {
  const property = fc.property(text, row, (text, id) => {
    for (const kind of KINDS) assert.equal(IDS.read(kind, text), undefined)
    assert.equal(IDS.readComment(text), undefined)
    const written = IDS.writeComment({ threadId: 1, id })
    for (const near of [`${written}A`, written.slice(0, -1), ` ${written}`, lastBitOf(written)])
      assert.equal(IDS.readComment(near), undefined, near)
  })
  fc.assert(property, { numRuns: runs(200, 20_000) })
})

/** The same 16 bytes in base64url, with one of the four spare bits of the last character set. */
const lastBitOf = (id: string): string =>
  id.slice(0, -1) + String.fromCharCode(id.charCodeAt(id.length - 1) + 1)

const bitsOf = (id: string): string =>
  [...Buffer.from(id.slice(1), 'base64url')]
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('')

const differenceOf = (a: string, b: string): number =>
  Array.from(a).filter((bit, place) => bit !== b[place]).length

t.test('the ids of consecutive rows have as much in common as random texts', async (t) => {
  for (const write of [
    (id: number) => IDS.writeComment({ threadId: 1, id }),
    (id: number) => IDS.writeComment({ threadId: id, id: 1 }),
    (id: number) => IDS.write('author', id),
    (id: number) => IDS.write('key', id),
  ]) {
    const ids = Array.from({ length: 1_001 }, (_, n) => bitsOf(write(n + 1)))
    const differences = ids.slice(1).map((id, n) => differenceOf(id, ids[n]!))
    const mean = differences.reduce((sum, one) => sum + one, 0) / differences.length
    // The standard deviation of the mean is 0.18.
    t.ok(mean > 63 && mean < 65, `${mean} of 128 bits differ`)
    t.ok(Math.min(...differences) > 32, 'no two are alike')
    const rising = ids.slice(1).filter((id, n) => id > ids[n]!).length
    t.ok(rising > 425 && rising < 575, `${rising} of 1,000 are greater than the one before`)
  }
})

t.test('two installations have no id in common', async (t) => {
  const other = createPublicIds(Buffer.from('another secret'))(1)
  for (let id = 1; id < 100; id++) {
    t.not(other.write('author', id), IDS.write('author', id))
    t.equal(other.read('author', IDS.write('author', id)), undefined)
  }
})

const KEY = deriveKeys([Buffer.from('a secret for tests')]).cursors
const position = fc.oneof(
  fc.constant(null),
  fc.tuple(fc.oneof(fc.maxSafeNat(), fc.string({ maxLength: 3_000 })), fc.maxSafeNat()),
)

t.test('a cursor gives back its target to its own list, and contains none of it', async () => {
  const property = fc.property(position, fc.string(), (after, subject) => {
    const target = { sort: 'newest', after: after as [number, number] | null, shown: [] }
    const binding = ['replies', 1, subject]
    const cursor = writeCursor(KEY, binding, target)
    assert.deepEqual(readCursor(KEY, binding, cursor), target)
    assert.equal(writeCursor(KEY, binding, target), cursor, 'the same page has the same bytes')
    const bytes = Buffer.from(cursor, 'base64url')
    for (const part of ['newest', ...(after ?? []).map(String)].filter((one) => one.length > 3))
      assert.equal(bytes.includes(part), false, part)
    for (const [list, sent] of [
      [['replies', 2, subject], cursor],
      [['replies', 1, `${subject}x`], cursor],
      [binding, `${cursor}AAAA`],
      [binding, cursor.slice(0, -4)],
      [binding, `A${cursor.slice(1)}`].map((one) => (one === cursor ? 'AAAA' : one)),
    ] as [unknown[], string][])
      assert.throws(() => readCursor(KEY, list, sent), { code: 'invalid_cursor' })
  })
  fc.assert(property, { numRuns: runs(100, 5_000) })
})

t.test('the length of a cursor does not tell how many digits a number has', async (t) => {
  const lengthOf = (id: number) =>
    writeCursor(KEY, ['recent'], { sort: '', after: [1_764_000_000_000_000, id] }).length
  t.equal(lengthOf(1), lengthOf(9_007_199_254_740_991))
})

/** An id with its number in plain, as records store it. */
const PLAIN = /(?<![\w.:-])([abdeknprx]|c\d[0-9a-z]?-)\d[0-9a-z]?(?![\w.:-])/

const PATHS = [
  '/articles/hall/comments',
  '/articles/hall/comments?view=flat',
  '/articles/hall/viewer',
  '/comments',
  '/staff',
  '/keys',
  '/audit',
  '/members/member-of-the-site',
  '/moderation/comments?status=approved&status=pending&status=rejected&status=spam',
  '/moderation/decisions',
  '/moderation/batches',
  '/moderation/bans',
  '/moderation/appeals',
  '/moderation/appeals?status=answered',
  '/moderation/canned-reasons',
  '/moderation/policies',
  '/moderation/policy',
]

t.test('no response contains the number of a row', async (t) => {
  const service = await openService(t)
  const { post, adminKey: token } = service
  const heard: string[] = []
  const ask = async (method: string, path: string, body?: Json, as = token): Promise<Json> => {
    const address = path.startsWith('/v1') ? path : `/v1/sites/default${path}`
    const answer = await service.call(method, address, { token: as, ...(body && { body }) })
    t.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text.slice(0, 300)}`)
    heard.push(`${method} ${path} ${answer.headers.location ?? ''} ${answer.text}`)
    return answer.body
  }
  await insertSite(service.db, { slug: 'other', name: 'Other' })
  const root = await post('hall', 'root', {}, {})
  const reply = await post('hall', 'reply', { parent_id: root.id })
  const turned = await post('hall', 'turned down')
  const { id, author } = root
  heard.push(JSON.stringify([root, reply, turned]))
  const path = `/comments/${id}`
  await ask('PUT', `/comments/${reply.id}/vote`, { value: 1 }, root.guest_token)
  await ask('POST', `/comments/${reply.id}/flags`, { reason: 'spam' }, root.guest_token)
  await ask('PATCH', path, { body: 'changed' })
  await ask('PUT', `${path}/pin`, { pinned: true })
  await ask('POST', `/comments/${turned.id}/decisions`, { from: 'approved', to: 'rejected' })
  const made = await ask(
    'POST',
    `/comments/${turned.id}/appeals`,
    { text: 'Why?' },
    turned.guest_token,
  )
  const answerer = await service.makeKey('moderate')
  await ask('POST', `/moderation/appeals/${made.id}/answers`, { outcome: 'upheld' }, answerer)
  await ask('POST', `/comments/${reply.id}/moves`, { article_id: 'hall' })
  const moved = await ask('POST', `/comments/${reply.id}/moves`, {
    article_id: 'hall',
    parent_id: id,
  })
  t.equal(moved.after.parent_id, id)
  await ask('POST', `/moderation/decisions/${moved.id}/undos`)
  const banned = await ask('POST', '/moderation/bans', {
    kind: 'author',
    value: author.id,
    effect: 'hold',
    existing_comments: 'spam',
  })
  t.equal(banned.value, author.id)
  await ask('POST', `/moderation/batches/${banned.batch_id}/undos`)
  await ask('POST', '/v1/bans', { kind: 'email', value: 'x@example.org', effect: 'hold' })
  await ask('POST', '/articles/hall/comments', { body: 'held' }, root.guest_token)
  await ask('POST', `/authors/${author.id}/notes`, { note: 'a note' })
  await ask('POST', '/moderation/claims', { filter: { status: ['pending'] } })
  await ask('POST', '/moderation/canned-reasons', { title: 'x', reason: 'spam', note: 'note' })
  await ask('PATCH', '/members/member-of-the-site', { name: 'Grace', roles: ['moderator'] })
  const key = await ask('POST', '/keys', { name: 'reader', scope: 'read' })
  await ask('POST', `/keys/${key.id}/rotations`, {})
  const { policy } = await ask('GET', '/moderation/policy')
  await ask('PUT', '/moderation/policy', { policy })
  await ask('POST', '/moderation/rejudgements', {})
  for (const one of PATHS) await ask('GET', one)
  const ofPeople = [`${path}/revisions`, `/authors/${author.id}/comments`, path]
  for (const one of [...ofPeople, `/authors/${author.id}/notes`, `/authors/${author.id}/export`])
    await ask('GET', one)
  await ask('GET', `/comments/${turned.id}/statement`, undefined, turned.guest_token)
  for (const one of ['/v1/keys', '/v1/audit', '/v1/bans']) await ask('GET', one)
  const { items } = await ask('GET', `/moderation/decisions?by=${IDS.write('key', 1)}`)
  t.ok(items.length > 5, 'the log finds decisions by the public id of a key')
  t.same((await ask('GET', '/moderation/decisions?by=k1')).items, [], 'and by no number')
  for (const one of heard) t.notMatch(withoutQuery(one), PLAIN)
})

/** The search for a plain id is in the request. */
const withoutQuery = (heard: string): string => heard.replace('decisions?by=k1 ', 'decisions ')
