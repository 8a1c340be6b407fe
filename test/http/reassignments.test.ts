import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import { openSignOn, signToken } from '../members.ts'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'

type Json = Record<string, any>

const openMember = async (service: TestService, claims: Json = {}) => {
  await openSignOn(service)
  const token = await signToken({ email: 'ada@example.org', email_verified: true, ...claims })
  const { author } = await service.post('own', 'a text of the member', {}, { token })
  return { token, id: author.id as string }
}

const reassign = (service: TestService, id: string, body: Json, token = service.adminKey) =>
  service.call('POST', `${SITE}/authors/${id}/reassignments`, { token, body })

/** A guest as an import makes one. */
const importGuest = async (service: TestService, email: string, article = 'a') => {
  const posted = await service.post(article, `imported ${email} ${article}`, {
    author: { name: 'Old Ada', email },
  })
  await sql`
    insert into import_origins (site_id, origin) values (1, 'wordpress:https://blog.example')
    on conflict do nothing`.execute(service.db)
  await sql`
    insert into imported_authors (site_id, origin_id, source_id, author_id, profile_hash)
    select 1, (select id from import_origins where site_id = 1), ${posted.id}, author_id, 1 from comments
    where site_id = 1 and body = ${posted.body}`.execute(service.db)
  return posted
}

t.test(
  'a member with a verified e-mail address gets the imported comments of that address',
  async (t) => {
    const service = await openService(t)
    const { id, token } = await openMember(service)
    const first = await importGuest(service, 'ADA@example.org')
    const second = await importGuest(service, 'ada@example.org', 'b')
    const other = await importGuest(service, 'mary@example.org')
    const guest = await service.post('a', 'no import', {
      author: { name: 'A', email: 'ada@example.org' },
    })

    const counted = await reassign(service, id, { from: 'email', dry_run: true })
    t.match(counted, {
      status: 200,
      body: {
        status: 'dry_run',
        guests: 2,
        comments: 2,
        comment_ids: [first.id, second.id],
        is_cut: false,
      },
    })
    t.not((await service.get(`/comments/${first.id}`)).body.author.id, id)

    t.match(await reassign(service, id, { from: 'email' }), {
      status: 200,
      body: { status: 'done', guests: 2, comments: 2, votes: 0 },
    })
    for (const comment of [first, second])
      t.match((await service.get(`/comments/${comment.id}`)).body.author, {
        id,
        name: 'Ada Member',
      })
    for (const comment of [other, guest])
      t.not((await service.get(`/comments/${comment.id}`)).body.author.id, id)
    const held = await service.call('GET', `${SITE}/authors/${id}/export`, { token })
    t.equal(held.body.comments.length, 3)
    t.match(await reassign(service, id, { from: 'email' }), { body: { guests: 0, comments: 0 } })
    t.same(await recount(service.db), [])
  },
)

t.test('a later import of a reassigned guest finds the member', async (t) => {
  const service = await openService(t)
  const { id } = await openMember(service)
  await importGuest(service, 'ada@example.org')
  await reassign(service, id, { from: 'email' })
  const { rows } = await sql<{ name: string }>`
    select a.name from imported_authors i join authors a on a.site_id = 1 and a.id = i.author_id
    where i.site_id = 1`.execute(service.db)
  t.same(rows, [{ name: 'Ada Member' }])
})

t.test('an e-mail address that the site has not verified gives a member nothing', async (t) => {
  const service = await openService(t)
  const { id } = await openMember(service, { email_verified: false })
  const { id: comment } = await importGuest(service, 'ada@example.org')
  t.match(await reassign(service, id, { from: 'email' }), {
    status: 409,
    body: { code: 'email_not_verified' },
  })
  t.not((await service.get(`/comments/${comment}`)).body.author.id, id)
})

t.test('a member takes over a guest: comments, votes, flags and appeals', async (t) => {
  const service = await openService(t)
  const { id, token } = await openMember(service)
  const mine = await service.post('a', 'of the guest')
  const guestToken = mine.guest_token
  const more = await service.post('b', 'more', {}, { token: guestToken })
  const others = await service.post('a', 'of another')
  const seen = (await service.get('/articles/a/comments')).headers.etag
  const vote = (comment: string, by: string, value: number) =>
    service.call('PUT', `${SITE}/comments/${comment}/vote`, { token: by, body: { value } })
  // Both voted: the vote of the member stays. The member voted on what becomes its own: that vote goes.
  await vote(others.id, guestToken, 1)
  await vote(others.id, token, -1)
  await vote(mine.id, token, 1)
  const memberPost = (await service.get('/articles/own/comments')).body.items[0]
  await vote(memberPost.id, guestToken, 1)
  const third = await service.post('b', 'third')
  await vote(third.id, guestToken, 1)
  await service.call('POST', `${SITE}/comments/${third.id}/flags`, {
    token: guestToken,
    body: { reason: 'spam' },
  })
  await service.call('POST', `${SITE}/comments/${mine.id}/flags`, {
    token,
    body: { reason: 'spam' },
  })
  await service.decide(more.id, 'approved', 'rejected', { reason: 'other' })
  await service.call('POST', `${SITE}/comments/${more.id}/appeals`, {
    token: guestToken,
    body: { text: 'why' },
  })

  const answer = await reassign(service, id, { from: mine.author.id })
  t.match(answer, { status: 200, body: { guests: 1, comments: 2, votes: 3, flags: 1, appeals: 1 } })
  t.not((await service.get('/articles/a/comments')).headers.etag, seen)
  const scoreOf = async (comment: string) => (await service.get(`/comments/${comment}`)).body
  t.match(await scoreOf(others.id), { upvotes: 0, downvotes: 1 })
  t.match(await scoreOf(mine.id), { upvotes: 0, downvotes: 0, author: { id } })
  t.match(await scoreOf(memberPost.id), { upvotes: 0 })
  t.match(await scoreOf(third.id), { upvotes: 1 })
  const { body: held } = await service.call('GET', `${SITE}/authors/${id}/export`, { token })
  t.match(held, {
    comments: { length: 3 },
    votes: { length: 2 },
    flags: { length: 1 },
    appeals: { length: 1 },
  })
  t.same(await recount(service.db), [])
  const audit = await service.call('GET', `${SITE}/audit`, { token: service.adminKey })
  t.match(
    audit.body.items.find(({ action }: Json) => action === 'comments_reassigned'),
    {
      action: 'comments_reassigned',
      subject: id,
      after: { author_id: mine.author.id, guests: 1 },
    },
  )
  const late = await service.call('POST', `${SITE}/articles/a/comments`, {
    token: guestToken,
    body: { body: 'late' },
  })
  t.match(late, { status: 401, body: { code: 'invalid_token' } })
})

t.test('only guests that exist give comments, and only to members', async (t) => {
  const service = await openService(t)
  const { id, token } = await openMember(service)
  const guest = await service.post('a', 'x')
  const gone = await service.post('a', 'y')
  await service.call('DELETE', `${SITE}/authors/${gone.author.id}`, { token: service.adminKey })
  for (const from of [id, gone.author.id, 'nonsense', ''])
    t.match(await reassign(service, id, { from }), { status: 400 }, from)
  t.match(await reassign(service, guest.author.id, { from: guest.author.id }), { status: 404 })
  t.match(await reassign(service, id, { from: guest.author.id }, token), { status: 403 })
})

t.test('nothing of a guest that writes meanwhile stays behind', async (t) => {
  const service = await openService(t)
  const { id } = await openMember(service)
  const first = await service.post('a', 'first')
  const write = async (n: number) => {
    const answer = await service.call('POST', `${SITE}/articles/${n % 3}/comments`, {
      token: first.guest_token,
      body: { body: `text ${n}` },
    })
    return answer.status
  }
  const writes = Array.from({ length: 20 }, (_, n) => write(n))
  const answer = await reassign(service, id, { from: first.author.id })
  const statuses = await Promise.all(writes)
  t.equal(answer.status, 200)
  t.same(
    statuses.filter((status) => status !== 201 && status !== 401),
    [],
  )
  const { rows } = await sql<{ kind: string; count: number }>`
    select a.kind, count(*)::int as count from comments c
    join authors a on a.site_id = c.site_id and a.id = c.author_id group by a.kind`.execute(
    service.db,
  )
  t.same(rows, [{ kind: 'member', count: 2 + statuses.filter((status) => status === 201).length }])
  t.same(await recount(service.db), [])
})

t.test(
  'a long reassignment continues as a job, and a second run of it changes nothing',
  async (t) => {
    const service = await openService(t)
    const { id } = await openMember(service)
    const guest = await service.post('a', 'x')
    for (let n = 0; n < 3; n++) await service.post(`t${n}`, 'y', {}, { token: guest.guest_token })
    const { finishReassignment } = await import('../../src/usecases/people/reassign-comments.ts')
    const memberId = (
      await sql<{ id: number }>`
    select id from authors where kind = 'member'`.execute(service.db)
    ).rows[0]!.id
    await sql`
    update authors set reassigned_to = ${memberId} where kind = 'guest'`.execute(service.db)
    const job = {
      siteId: 1,
      kind: 'reassign_comments',
      key: String(memberId),
      payload: { authorId: memberId },
      slug: 'default',
      version: 1,
      attempts: 1,
      lease: randomUUID(),
    } as const
    const stopped = new AbortController()
    stopped.abort()
    t.same(await finishReassignment(service, job, stopped.signal), { againInMs: 0 })
    const { signal } = new AbortController()
    await sql`
    insert into jobs (site_id, kind, key, payload, enqueued_at, due_at, lease, leased_until)
    values (1, 'reassign_comments', ${job.key}, '{}', now(), now(), ${job.lease}, now() + interval '1 hour')`.execute(
      service.db,
    )
    t.equal(await finishReassignment(service, job, signal), 'done')
    t.equal(await finishReassignment(service, job, signal), 'done')
    const { body } = await service.get(`/authors/${id}/comments`)
    t.equal(body.items.length, 5)
  },
)
