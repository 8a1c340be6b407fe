import { createHash, randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import { storedId } from '../../src/domain/stored-id.ts'
import { insertSite } from '../../src/postgres/service/sites.ts'
import { ABSENT, IDS } from '../ids.ts'
import { recount } from '../recount.ts'
import { type Answer, type Call, openService, suggest, type TestService } from '../service.ts'
import { until } from '../start.ts'
import { openTwin } from '../twin.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'
const ADA = { name: 'Ada' }

/** An answer in a few words: its status, and why not. */
const said = ({ status, body }: Answer): string =>
  status < 400 ? `${status}` : `${status} ${body.code}`

/** Posts without believing that it works. */
const tryPost = (service: TestService, article: string, body: Json, options: Call = {}) =>
  service.call('POST', `${SITE}/articles/${article}/comments`, {
    ...options,
    headers: { 'idempotency-key': randomUUID(), ...options.headers },
    body: { body: 'text', ...(options.token ? {} : { author: ADA }), ...body },
  })

const edit = (service: TestService, id: string, body: string, options: Call = {}) =>
  service.call('PATCH', `${SITE}/comments/${id}`, { ...options, body: { body } })

const remove = (service: TestService, id: string, options: Call = {}) =>
  service.call('DELETE', `${SITE}/comments/${id}`, options)

const changeSite = (service: TestService, body: Json) =>
  service.call('PATCH', SITE, { token: service.adminKey, body })

const changeThread = (service: TestService, article: string, body: Json) =>
  service.call('PATCH', `${SITE}/articles/${article}`, { token: service.adminKey, body })

const threadOf = async (service: TestService, article: string): Promise<Json> =>
  (await service.get(`/articles/${article}`)).body

/** Everything that readers are told of an article, and the tags it carries. */
const readerView = async ({ get }: TestService, article: string): Promise<string[]> => {
  const paths = ['', '/comments', '/comments?view=flat'].map((s) => `/articles/${article}${s}`)
  const answers = await Promise.all([...paths, '/comments', '/articles'].map((path) => get(path)))
  return answers.flatMap(({ text, headers }) => [text, String(headers.etag)])
}

t.test('postComment', async (t) => {
  const service = await openService(t)
  const { get, post, decide } = service

  t.test(
    'postComment publishes a comment: 201, its location, and the version that shows it',
    async (t) => {
      const { status, headers, body } = await tryPost(service, 'new', { body: '*hello*' })
      t.equal(status, 201)
      t.equal(headers.location, `${SITE}/comments/${body.id}`)
      t.equal(headers['thread-version'], String((await threadOf(service, 'new')).version))
      t.equal(headers['cache-control'], 'private, no-store')
      t.match(body, { status: 'approved', depth: 0, parent_id: null, revision: 1, reply_count: 0 })
      t.match(body, { article_id: 'new', body: '*hello*', body_html: '<p><em>hello</em></p>\n' })
      t.equal(body.published_at, body.created_at)
    },
  )

  t.test('postComment returns what getComment returns afterwards', async (t) => {
    const { guest_token, editable_until: _, now: __, ...posted } = await post('same', 'text')
    t.type(guest_token, 'string')
    t.same((await get(`/comments/${posted.id}`)).body, posted)
  })

  t.test('reads take the version of postComment as at_least', async (t) => {
    const { headers } = await tryPost(service, 'versions', {})
    const path = `/articles/versions/comments?at_least=${headers['thread-version']}`
    t.equal((await get(path)).body.items.length, 1)
  })

  t.test('postComment keeps the body byte for byte', async (t) => {
    const bodies = [
      ' outer \n',
      'a\r\nb\rc\n',
      '👩‍👩‍👧‍👦 🏴󠁧󠁢󠁳󠁣󠁴󠁿',
      'e\u0301 é \u1e9b\u0323',
      '\ufeffx\u200b',
      '\t\u0001\u007f\u2028|',
    ]
    for (const body of [...bodies, '𝒳'.repeat(10_000), ` ${'x'.repeat(10_000)}\n`]) {
      const { id } = await post('bytes', body)
      const read = (await get(`/comments/${id}`)).body.body
      t.ok(
        Buffer.from(read).equals(Buffer.from(body)),
        `${Buffer.from(body).toString('hex', 0, 20)}`,
      )
    }
  })

  t.test('postComment creates a guest and its token', async (t) => {
    const first = await post('guests', 'one')
    const second = await post('guests', 'two', {}, { token: first.guest_token })
    t.same(second.author, first.author)
    t.notOk('guest_token' in second)
    t.match(first.author, {
      name: 'Ada',
      url: null,
      avatar_url: `/v1/avatars/${first.author.id}.svg`,
      kind: 'guest',
      role: 'reader',
    })
  })

  t.test('postComment creates two guests for two posts, also of the same name', async (t) => {
    const author = { ...ADA, email: 'ada@example.org' }
    const [one, two] = [await post('two', '1', { author }), await post('two', '2', { author })]
    t.not(one.author.id, two.author.id)
  })

  t.test('postComment shows a new name on all comments of the guest', async (t) => {
    const { guest_token: token, author } = await post('here', 'one')
    await post('there', 'two', {}, { token })
    const before = await get('/articles/there/comments')
    await post(
      'here',
      'three',
      { author: { name: 'Lovelace', url: 'https://ada.example' } },
      { token },
    )
    const after = await until('the other thread to show it', async () => {
      const answer = await get('/articles/there/comments')
      return answer.headers.etag === before.headers.etag ? undefined : answer
    })
    t.match(after.body.items[0].author, {
      id: author.id,
      name: 'Lovelace',
      url: 'https://ada.example',
    })
    t.ok(after.body.thread.version > before.body.thread.version)
    const { items } = (await get(`/authors/${author.id}/comments`)).body
    t.same(new Set(items.map((c: Json) => c.author.name)), new Set(['Lovelace']))
  })

  t.test('postComment keeps a later e-mail, for moderators only', async (t) => {
    const { guest_token: token, author, id } = await post('mail', 'one')
    await post('mail', 'two', { author: { ...ADA, email: 'ada@example.org' } }, { token })
    const path = `/moderation/comments?status=approved&author_id=${author.id}`
    const { items } = (await get(path, { token: service.adminKey })).body
    t.same(
      items.map((c: Json) => c.email),
      ['ada@example.org', 'ada@example.org'],
    )
    t.notMatch((await get(`/comments/${id}`)).text, 'example.org')
    t.notMatch((await get('/articles/mail/comments', { token })).text, 'example.org')
  })

  t.test('postComment with the same name changes no version of other threads', async (t) => {
    const { guest_token: token } = await post('quiet', 'one')
    const { version } = await threadOf(service, 'quiet')
    await post('elsewhere', 'two', { author: ADA }, { token })
    t.equal((await threadOf(service, 'quiet')).version, version)
  })

  t.test('postComment sets title and URL of an article once', async (t) => {
    const [first, second] = [1, 2].map((n) => ({ title: `T${n}`, url: `https://a.example/${n}` }))
    await post('told', 'one')
    t.match(await threadOf(service, 'told'), { title: null, url: null })
    await post('told', 'two', { article: first }, { token: service.adminKey })
    t.match(await threadOf(service, 'told'), first!)
    await post('told', 'three', { article: second }, { token: service.adminKey })
    t.match(await threadOf(service, 'told'), first!)
  })

  t.test('postComment sets title and URL of an article separately', async (t) => {
    await post('half', 'one', { article: { title: 'T' } }, { token: service.adminKey })
    const other = { title: 'Other', url: 'https://a.example/' }
    await post('half', 'two', { article: other }, { token: service.adminKey })
    t.match(await threadOf(service, 'half'), { title: 'T', url: 'https://a.example/' })
  })

  t.test('postComment replies only to visible comments of the same thread', async (t) => {
    const root = await post('parents', 'root')
    const gone = await post('parents', 'without replies')
    const tombstone = await post('parents', 'with a reply')
    await post('parents', 'reply', { parent_id: tombstone.id })
    const elsewhere = await post('other-thread', 'root')
    for (const { id } of [gone, tombstone]) await decide(id, 'approved', 'rejected')
    const { threadId } = IDS.readComment(root.id)!
    const absent = IDS.writeComment({ threadId, id: 46_655 })
    const ids = {
      gone,
      tombstone,
      elsewhere,
      absent: { id: absent },
      malformed: { id: '../1' },
      empty: { id: '' },
    }
    for (const [what, { id }] of Object.entries(ids)) {
      t.equal(
        said(await tryPost(service, 'parents', { parent_id: id })),
        '422 parent_not_found',
        what,
      )
    }
    t.equal((await tryPost(service, 'parents', { parent_id: root.id })).body.depth, 1)
    t.equal((await tryPost(service, 'parents', { parent_id: null })).body.depth, 0)
  })

  t.test('postComment does not reply across sites', async (t) => {
    await insertSite(service.db, { slug: 'other', name: 'Other' })
    const { id } = await post('sites', 'root')
    const body = { body: 'text', author: ADA, parent_id: id }
    const answer = await service.call('POST', '/v1/sites/other/articles/sites/comments', { body })
    t.equal(said(answer), '422 parent_not_found')
  })

  t.test('postComment leaves nothing behind when it refuses', async (t) => {
    const count = async () =>
      (
        await sql<Json>`select (select count(*) from threads) as threads, (select count(*) from authors) as authors,
        (select count(*) from comments) as comments`.execute(service.db)
      ).rows[0]
    const before = await count()
    await tryPost(service, 'ghost', { parent_id: ABSENT })
    t.same(await count(), before)
  })

  const FAULTS: [string, Json, string[]][] = [
    ['no body', { body: undefined }, ['/body']],
    ['an empty body', { body: '' }, ['/body']],
    ['only white space', { body: ' \r\n\t\u00a0' }, ['/body']],
    ['a body that is too long', { body: 'x'.repeat(10_001) }, ['/body']],
    ['a body of another type', { body: 1 }, ['/body']],
    ['an unknown field', { status: 'approved' }, ['/status']],
    ['an unknown field of the author', { author: { ...ADA, role: 'owner' } }, ['/author/role']],
    ['no author', { author: undefined }, ['/author']],
    ['no name', { author: {} }, ['/author/name']],
    ['a name with direction marks', { author: { name: 'a\u202eb' } }, ['/author/name']],
    ['a name that is too long', { author: { name: 'x'.repeat(81) } }, ['/author/name']],
    ['a url of a script', { author: { ...ADA, url: 'javascript:alert(1)' } }, ['/author/url']],
    ['no e-mail address', { author: { ...ADA, email: 'ada' } }, ['/author/email']],
    ['an article with a bad url', { article: { url: '/relative' } }, ['/article/url']],
    ['a parent of another type', { parent_id: 3 }, ['/parent_id']],
    ['two faults', { body: ' ', author: { name: '' } }, ['/body', '/author/name']],
  ]
  t.test('postComment names the invalid fields', async (t) => {
    for (const [what, body, pointers] of FAULTS) {
      const answer = await tryPost(service, 'faults', body)
      t.equal(said(answer), '400 invalid_request', what)
      t.same(
        answer.body.errors?.map((e: Json) => e.pointer),
        pointers,
        what,
      )
    }
    t.equal((await threadOf(service, 'faults')).version, 0)
  })

  t.test('postComment respects the state of the thread', async (t) => {
    const past = new Date(Date.now() - 1000).toISOString()
    const future = new Date(Date.now() + 3_600_000).toISOString()
    const states: [Json, string][] = [
      [{ state: 'closed' }, '409 thread_closed'],
      [{ state: 'locked' }, '409 thread_locked'],
      [{ state: 'hidden' }, '409 thread_closed'],
      [{ state: 'open', closes_at: past }, '409 thread_closed'],
      [{ state: 'open', closes_at: future }, '201'],
      [{ state: 'open', closes_at: null }, '201'],
    ]
    const { id } = await post('states', 'root')
    for (const [change, expected] of states) {
      await changeThread(service, 'states', change)
      t.equal(said(await tryPost(service, 'states', {})), expected, JSON.stringify(change))
      const reply = await tryPost(service, 'states', { parent_id: id })
      t.equal(said(reply), expected, `reply: ${JSON.stringify(change)}`)
    }
  })

  t.test('postComment takes no reply to a locked comment', async (t) => {
    const { id } = await post('locked', 'root')
    await sql`update comments set locked = true where body = 'root'
      and thread_id = (select id from threads where article_id = 'locked')`.execute(service.db)
    t.equal(said(await tryPost(service, 'locked', { parent_id: id })), '409 thread_locked')
    t.equal(said(await tryPost(service, 'locked', {})), '201')
  })

  t.test('postComment keeps every count right', async (t) => t.same(await recount(service.db), []))
})

t.test('postComment under the settings of the site', async (t) => {
  const service = await openService(t)
  const { get, post, decide } = service

  t.test('postComment nests no deeper than max_depth', async (t) => {
    await changeSite(service, { max_depth: 2 })
    let parent: Json = await post('deep', 'root')
    for (const _ of [1, 2]) parent = await post('deep', 'reply', { parent_id: parent.id })
    t.equal(parent.depth, 2)
    const refused = await tryPost(service, 'deep', { parent_id: parent.id })
    t.equal(said(refused), '422 depth_exceeded')
    await changeSite(service, { max_depth: 0 })
    const { id } = await post('deep', 'another root')
    t.equal(said(await tryPost(service, 'deep', { parent_id: id })), '422 depth_exceeded')
  })

  t.test('postComment respects who_may_post', async (t) => {
    const { guest_token: token } = await post('who', 'one')
    await changeSite(service, { who_may_post: 'nobody' })
    t.equal(said(await tryPost(service, 'who', {})), '403 posting_disabled')
    t.equal(said(await tryPost(service, 'who', {}, { token })), '403 posting_disabled')
    await changeSite(service, { who_may_post: 'members' })
    t.equal(said(await tryPost(service, 'who', {})), '401 login_required')
    t.equal(said(await tryPost(service, 'who', {}, { token })), '401 login_required')
    await changeSite(service, { who_may_post: 'anyone' })
    t.equal(said(await tryPost(service, 'who', {}, { token })), '201')
  })

  t.test(
    'postComment holds comments under pre-moderation, without a difference for readers',
    async (t) => {
      await post('held', 'before')
      await changeSite(service, { moderation: 'pre' })
      const before = await readerView(service, 'held')
      const { status, headers, body } = await tryPost(service, 'held', { article: { title: 'T' } })
      t.equal(status, 202)
      t.match(body, { status: 'pending', published_at: null })
      t.equal(headers.location, `${SITE}/comments/${body.id}`)
      t.notOk('thread-version' in headers)
      t.same(await readerView(service, 'held'), before)
      t.equal(said(await get(`/comments/${body.id}`)), '404 not_found')
      const own = await get(`/comments/${body.id}`, { token: body.guest_token })
      t.match(own, {
        status: 200,
        body: { status: 'pending' },
        headers: { 'cache-control': 'private, no-store' },
      })
      t.equal(said(await get(`/comments/${body.id}`, { token: service.adminKey })), '200')
    },
  )

  t.test('a thread that never had a published comment looks like an absent one', async (t) => {
    await tryPost(service, 'only-held', {})
    const [held, absent] = await Promise.all(
      ['only-held', 'absent'].map((id) => readerView(service, id)),
    )
    t.same(
      held!.map((s) => s.replaceAll('only-held', 'absent')).filter((s) => s[0] === '{'),
      absent!.filter((s) => s[0] === '{'),
    )
  })

  t.test('postComment: the moderation mode of a thread overrides that of its site', async (t) => {
    await changeThread(service, 'trusted', { moderation: 'post' })
    t.equal((await tryPost(service, 'trusted', {})).status, 201)
    await changeThread(service, 'trusted', { moderation: 'site' })
    t.equal((await tryPost(service, 'trusted', {})).status, 202)
  })

  t.test('a held comment sets the article’s title and URL when it is approved', async (t) => {
    const article = { title: 'Told late', url: 'https://a.example/late' }
    const { id } = await post(
      'late',
      'one',
      { article },
      { headers: { origin: 'https://a.example' } },
    )
    t.match(await threadOf(service, 'late'), { title: null, url: null, version: 0 })
    const { headers } = await decide(id, 'pending', 'approved')
    const thread = await threadOf(service, 'late')
    t.match(thread, { ...article, comment_count: 1, root_count: 1 })
    t.equal(headers['thread-version'], String(thread.version))
  })

  t.test('a held comment does not overwrite an article’s title and URL', async (t) => {
    const { id } = await post('late-too', 'one', ...suggest('Held'))
    await changeThread(service, 'late-too', { title: 'Moderated' })
    await decide(id, 'pending', 'approved')
    t.match(await threadOf(service, 'late-too'), { title: 'Moderated' })
  })

  t.test('postComment under site settings keeps every count right', async (t) =>
    t.same(await recount(service.db), []),
  )
})

t.test('createGuest', async (t) => {
  const service = await openService(t)
  const { call, get, post } = service
  const create = (body: Json, options: Call = {}) =>
    call('POST', `${SITE}/guests`, { ...options, body })

  t.test('createGuest returns a token that posts as the guest', async (t) => {
    const { status, body } = await create({
      ...ADA,
      url: 'https://ada.example',
      email: 'a@b.example',
    })
    t.equal(status, 201)
    t.same(Object.keys(body).sort(), ['author', 'guest_token'])
    t.notMatch(body, { author: { email: /./ } })
    const { author } = await post('a', 'text', {}, { token: body.guest_token })
    t.same(author, body.author)
  })

  t.test('createGuest: a guest without comments is shown to readers nowhere', async (t) => {
    const { body } = await create(ADA)
    t.equal(said(await get(`/authors/${body.author.id}/comments`)), '404 not_found')
  })

  t.test('createGuest names the invalid fields', async (t) => {
    const faults = [
      [{}, '/name'],
      [{ name: ' ' }, '/name'],
      [{ ...ADA, url: 'ftp://a.example' }, '/url'],
      [{ ...ADA, email: '@' }, '/email'],
      [{ ...ADA, id: 'a1' }, '/id'],
    ] as const
    for (const [body, pointer] of faults) {
      const answer = await create(body)
      t.equal(said(answer), '400 invalid_request')
      t.equal(answer.body.errors[0].pointer, pointer)
    }
  })

  t.test('the token of a guest is refused on another site', async (t) => {
    await insertSite(service.db, { slug: 'other', name: 'Other' })
    const { body } = await call('POST', '/v1/sites/other/guests', { body: ADA })
    t.equal(said(await tryPost(service, 'a', {}, { token: body.guest_token })), '401 invalid_token')
    const forged = body.guest_token.replace(/^g\.\w+/, 'g.1')
    t.equal(said(await tryPost(service, 'a', {}, { token: forged })), '401 invalid_token')
  })
})

t.test('editComment', async (t) => {
  const service = await openService(t)
  const { get, post, decide } = service
  /** As if everything had been written earlier. */
  const age = async (seconds: number) => {
    const earlier = sql`make_interval(secs => ${seconds})`
    await sql`update comments set created_at = created_at - ${earlier}`.execute(service.db)
    await sql`update comment_tallies set created_at = created_at - ${earlier},
      active_at = active_at - ${earlier}`.execute(service.db)
    await sql`update threads set last_comment_at = last_comment_at - ${earlier}`.execute(service.db)
  }

  t.test('editComment lets the author replace the text and keeps the old one', async (t) => {
    const { id, guest_token: token } = await post('edits', 'frist')
    const { version } = await threadOf(service, 'edits')
    const { status, headers, body } = await edit(service, id, ' first\r\n', { token })
    t.equal(status, 200)
    t.match(body, {
      body: ' first\r\n',
      body_html: '<p>first</p>\n',
      revision: 2,
      status: 'approved',
    })
    t.ok(body.edited_at >= body.created_at)
    t.ok(Number(headers['thread-version']) > version)
    const { editable_until: _, now: __, ...edited } = body
    t.same((await get(`/comments/${id}`)).body, edited)
    const { rows } =
      await sql<Json>`select revision, body, body_html, replaced_by from comment_revisions`.execute(
        service.db,
      )
    t.same(rows, [
      {
        revision: 1,
        body: 'frist',
        bodyHtml: '<p>frist</p>\n',
        replacedBy: storedId('author', IDS.read('author', body.author.id)!),
      },
    ])
  })

  t.test('editComment needs the revision that the author saw', async (t) => {
    const { id, guest_token: token } = await post('matches', 'one')
    const ifMatch = (revision: string) =>
      edit(service, id, 'two', { token, headers: { 'if-match': revision } })
    t.equal(said(await ifMatch('"2"')), '412 edit_conflict')
    t.equal(said(await ifMatch('"1"')), '200')
    t.equal(said(await ifMatch('"1"')), '412 edit_conflict')
    t.equal(said(await ifMatch('*')), '200')
    t.equal(said(await ifMatch('"0"')), '412 edit_conflict', 'no revision is that')
    for (const bad of ['2', 'W/"2"', '"x"', '""', '"1", "3"']) {
      t.equal(said(await ifMatch(bad)), '400 invalid_request', bad)
    }
  })

  t.test('editComment ends for the author after the edit window, not for moderators', async (t) => {
    const { id, guest_token: token } = await post('window', 'one')
    await age(299)
    t.equal(said(await edit(service, id, 'two', { token })), '200')
    await age(2)
    t.equal(said(await edit(service, id, 'three', { token })), '409 edit_window_over')
    const { status, body } = await edit(service, id, 'four', { token: service.adminKey })
    t.equal(status, 200)
    t.match(body, { body: 'four', revision: 3, author: { name: 'Ada' } })
  })

  t.test('editComment by an author does not revert what a moderator edited', async (t) => {
    const { id, guest_token: token } = await post('reverted', 'first')
    t.equal(said(await edit(service, id, 'second', { token })), '200')
    t.equal(said(await edit(service, id, 'third', { token: service.adminKey })), '200')
    t.equal(said(await edit(service, id, 'second', { token })), '409 edit_window_over')
    t.match((await get(`/comments/${id}`)).body, { body_html: '<p>third</p>\n' })
  })

  t.test('editComment tells a comment of another author from an absent one', async (t) => {
    const mine = await post('whose', 'mine')
    const { guest_token: token } = await post('whose', 'another')
    t.equal(said(await edit(service, mine.id, 'x')), '401 login_required')
    t.equal(said(await edit(service, mine.id, 'x', { token })), '403 forbidden')
    t.equal(
      said(await edit(service, mine.id, 'x', { token: await service.makeKey('read') })),
      '403 forbidden',
    )
    await decide(mine.id, 'approved', 'rejected')
    t.equal(said(await edit(service, mine.id, 'x', { token })), '404 not_found')
    t.equal(said(await edit(service, mine.id, 'x', { token: mine.guest_token })), '404 not_found')
    for (const id of [ABSENT, 'nonsense', `${mine.id}0`]) {
      t.equal(said(await edit(service, id, 'x', { token: service.adminKey })), '404 not_found', id)
    }
  })

  t.test('editComment gives 404 for a hidden thread’s comment to all but its author', async (t) => {
    const { id } = await post('out-of-sight', 'mine')
    const { guest_token: token } = await post('whose', 'another')
    await changeThread(service, 'out-of-sight', { state: 'hidden' })
    t.equal(said(await edit(service, id, 'x', { token })), '404 not_found')
    t.equal(said(await remove(service, id, { token })), '404 not_found')
  })

  t.test('editComment is refused in a locked thread, not in a closed one', async (t) => {
    const { id, guest_token: token } = await post('shut', 'one')
    await changeThread(service, 'shut', { state: 'closed' })
    t.equal(said(await edit(service, id, 'two', { token })), '200')
    await changeThread(service, 'shut', { state: 'locked' })
    t.equal(said(await edit(service, id, 'three', { token })), '409 thread_locked')
    t.equal(said(await edit(service, id, 'three', { token: service.adminKey })), '200')
  })

  t.test('editComment names the invalid fields', async (t) => {
    const { id, guest_token: token } = await post('faulty', 'one')
    for (const body of ['', ' \n', 'x'.repeat(10_001)]) {
      t.match(await edit(service, id, body, { token }), {
        status: 400,
        body: { errors: [{ pointer: '/body' }] },
      })
    }
    t.equal((await get(`/comments/${id}`)).body.revision, 1)
  })

  t.test('editComment never shows an author that a comment is spam', async (t) => {
    const { id, guest_token: token } = await post('spammy', 'one')
    await decide(id, 'approved', 'spam')
    const { status, body } = await edit(service, id, 'two', { token })
    t.match(
      { status, body },
      { status: 202, body: { status: 'pending', body: 'two', revision: 2 } },
    )
    t.equal((await get(`/comments/${id}`, { token: service.adminKey })).body.status, 'spam')
  })

  t.test('editComment judges the text again and holds it under pre-moderation', async (t) => {
    const root = await post('screened', 'root')
    await post('screened', 'reply', { parent_id: root.id })
    await changeSite(service, { moderation: 'pre' })
    const { status, headers, body } = await edit(service, root.id, 'changed', {
      token: root.guest_token,
    })
    t.equal(status, 202)
    t.match(body, { status: 'pending', body: 'changed' })
    const list = (await get('/articles/screened/comments')).body
    t.equal(headers['thread-version'], String(list.thread.version))
    t.match(list.thread, { comment_count: 1, root_count: 0 })
    t.match(list.items[0], { status: 'deleted', body: null, author: null, reply_count: 1 })
  })

  t.test('editComment by a moderator is not judged', async (t) => {
    const { id } = (await tryPost(service, 'overseen', {})).body
    await decide(id, 'pending', 'approved')
    const { status, body } = await edit(service, id, 'changed', { token: service.adminKey })
    t.match({ status, body }, { status: 200, body: { status: 'approved' } })
  })

  t.test('editComment of a held comment changes nothing for readers', async (t) => {
    const { id, guest_token: token } = (await tryPost(service, 'overseen', {})).body
    const before = await readerView(service, 'overseen')
    const { status, headers } = await edit(service, id, 'changed', { token })
    t.equal(status, 202)
    t.notOk('thread-version' in headers)
    t.same(await readerView(service, 'overseen'), before)
  })

  t.test('editComment keeps every count right', async (t) => t.same(await recount(service.db), []))
})

t.test('deleteComment', async (t) => {
  const service = await openService(t)
  const { get, post } = service
  const decisionsOn = async (id: string) =>
    (await get(`/moderation/decisions?comment_id=${id}`, { token: service.adminKey })).body.items

  t.test(
    'deleteComment by the author removes the comment and its count, without a decision',
    async (t) => {
      const { id, guest_token: token } = await post('own', 'one')
      const { version } = await threadOf(service, 'own')
      const { status, text, headers } = await remove(service, id, { token })
      t.match({ status, text }, { status: 204, text: '' })
      t.ok(Number(headers['thread-version']) > version)
      t.equal(said(await get(`/comments/${id}`)), '404 not_found')
      t.equal(said(await get(`/comments/${id}`, { token })), '404 not_found')
      t.match(await threadOf(service, 'own'), {
        comment_count: 0,
        root_count: 0,
        last_comment_at: null,
      })
      t.same(await decisionsOn(id), [])
    },
  )

  t.test('deleteComment by a moderator is a decision', async (t) => {
    const { id } = await post('moderated', 'one')
    t.equal((await remove(service, id, { token: service.adminKey })).status, 204)
    const [decision, ...more] = await decisionsOn(id)
    t.match(decision, { comment_id: id, from: 'approved', to: 'deleted', reason: null, by: /^k/ })
    t.same(more, [])
  })

  t.test('deleteComment twice has the effect of once', async (t) => {
    const { id, guest_token: token } = await post('twice', 'one')
    for (const [as, decisions] of [
      [token, 0],
      [token, 0],
      [service.adminKey, 1],
      [service.adminKey, 1],
    ] as const) {
      t.equal((await remove(service, id, { token: as })).status, 204)
      t.equal((await decisionsOn(id)).length, decisions)
    }
  })

  t.test('deleteComment is for authors and moderators', async (t) => {
    const { id } = await post('whose', 'mine')
    const { guest_token: token } = await post('whose', 'another')
    t.equal(said(await remove(service, id)), '401 login_required')
    t.equal(said(await remove(service, id, { token })), '403 forbidden')
    t.equal(
      said(await remove(service, id, { token: await service.makeKey('read') })),
      '403 forbidden',
    )
    t.equal(said(await remove(service, ABSENT, { token })), '404 not_found')
    t.equal(said(await remove(service, 'nonsense', { token })), '404 not_found')
  })

  t.test(
    'deleteComment leaves a tombstone above replies until the last of them goes',
    async (t) => {
      const root = await post('tree', 'root')
      const reply = await post('tree', 'reply', { parent_id: root.id })
      const nested = await post('tree', 'nested', { parent_id: reply.id })
      for (const { id, guest_token: token } of [root, reply]) await remove(service, id, { token })
      const { thread, items } = (await get('/articles/tree/comments')).body
      t.match(thread, { comment_count: 1, root_count: 0 })
      t.match(items[0], {
        id: root.id,
        status: 'deleted',
        body: null,
        body_html: null,
        author: null,
      })
      t.match(items[0].replies.items[0], { id: reply.id, status: 'deleted', reply_count: 1 })
      t.match(items[0].replies.items[0].replies.items[0], { id: nested.id, body: 'nested' })
      await remove(service, nested.id, { token: nested.guest_token })
      t.same((await get('/articles/tree/comments')).body.items, [])
      t.equal(said(await get(`/comments/${root.id}`)), '404 not_found')
    },
  )

  t.test('deleteComment keeps every count right', async (t) =>
    t.same(await recount(service.db), []),
  )
})

t.test('Idempotency-Key', async (t) => {
  const service = await openService(t)
  const { call, post, adminKey } = service
  const twin = await openTwin(t, service)
  let keys = 0
  const freshKey = () => `key-${String(++keys).padStart(16, '0')}`
  const withKey = (key: string, options: Call = {}) => ({
    ...options,
    headers: { ...options.headers, 'idempotency-key': key },
  })
  const countOf = async (article: string) => (await threadOf(service, article)).comment_count

  /** A response without its date, which a repeated response may change. */
  const exactly = ({ status, headers, text }: Answer) => {
    const { date: _, ...rest } = headers
    return { status, headers: rest, text }
  }

  t.test(
    'an Idempotency-Key gives every kind of write the same response and no second effect',
    async (t) => {
      const { id, guest_token: token } = await post('again', 'mine')
      const own = await post('again', 'to delete')
      const writes: Record<string, (key: string) => Promise<Answer>> = {
        postComment: (key) => tryPost(service, 'again', {}, withKey(key)),
        'postComment by a guest': (key) => tryPost(service, 'again', {}, withKey(key, { token })),
        createGuest: (key) => call('POST', `${SITE}/guests`, withKey(key, { body: ADA })),
        editComment: (key) => edit(service, id, 'edited', withKey(key, { token })),
        deleteComment: (key) => remove(service, own.id, withKey(key, { token: own.guest_token })),
        decideComment: (key) =>
          call(
            'POST',
            `${SITE}/comments/${id}/decisions`,
            withKey(key, { token: adminKey, body: { from: 'approved', to: 'spam' } }),
          ),
        updateThread: (key) =>
          call(
            'PATCH',
            `${SITE}/articles/again`,
            withKey(key, { token: adminKey, body: { title: 'T' } }),
          ),
        updateSite: (key) =>
          call('PATCH', SITE, withKey(key, { token: adminKey, body: { name: 'N' } })),
      }
      for (const [operation, write] of Object.entries(writes)) {
        const key = freshKey()
        const first = await write(key)
        t.ok(first.status < 300, `${operation} ${first.status}`)
        const stored = await contents()
        t.same(exactly(await write(key)), exactly(first), operation)
        t.equal(await contents(), stored, `${operation} has one effect`)
      }
    },
  )

  const contents = async (): Promise<string> => {
    const tables = [
      'sites',
      'authors',
      'threads',
      'comments',
      'comment_revisions',
      'decisions',
      'idempotency_keys',
    ]
    const parts = tables.map((name) => `select '${name}', to_jsonb(r)::text from ${name} r`)
    const { rows } = await sql.raw(`${parts.join(' union all ')} order by 1, 2`).execute(service.db)
    return createHash('sha256').update(JSON.stringify(rows)).digest('hex')
  }

  t.test('an Idempotency-Key returns the same guest token, and it works', async (t) => {
    const key = freshKey()
    const [one, two] = [
      await tryPost(service, 'tokens', {}, withKey(key)),
      await tryPost(service, 'tokens', {}, withKey(key)),
    ]
    t.equal(one.text, two.text)
    t.type(two.body.guest_token, 'string')
    t.equal((await edit(service, one.body.id, 'mine', { token: two.body.guest_token })).status, 200)
    const { rows } = await sql<Json>`select answer::text from idempotency_keys`.execute(service.db)
    t.notOk(
      rows.some(({ answer }) => answer.includes(two.body.guest_token)),
      'the token itself is not stored',
    )
  })

  t.test('an Idempotency-Key is refused with another body', async (t) => {
    const key = freshKey()
    await tryPost(service, 'bodies', { body: 'one' }, withKey(key))
    t.equal(
      said(await tryPost(service, 'bodies', { body: 'two' }, withKey(key))),
      '422 idempotency_key_reused',
    )
    t.equal(await countOf('bodies'), 1)
  })

  t.test('an Idempotency-Key is refused with another If-Match', async (t) => {
    const { id, guest_token: token } = await post('if-match', 'one')
    const key = freshKey()
    const write = (revision: string) =>
      edit(service, id, 'two', withKey(key, { token, headers: { 'if-match': revision } }))
    t.equal(said(await write('"1"')), '200')
    t.equal(said(await write('"1"')), '200')
    t.equal(said(await write('"2"')), '422 idempotency_key_reused')
  })

  t.test('an Idempotency-Key belongs to one caller, path, operation and site', async (t) => {
    const key = freshKey()
    const { guest_token: token } = (await tryPost(service, 'claims', {}, withKey(key))).body
    await insertSite(service.db, { slug: 'other', name: 'Other' })
    const others = [
      await tryPost(service, 'claims', {}, withKey(key, { token })),
      await tryPost(service, 'claims', { author: ADA }, withKey(key, { token: adminKey })),
      await tryPost(service, 'claims-too', {}, withKey(key)),
      await call('POST', `${SITE}/guests`, withKey(key, { body: ADA })),
      await call(
        'POST',
        '/v1/sites/other/articles/claims/comments',
        withKey(key, { body: { body: 'text', author: ADA } }),
      ),
    ]
    t.same(others.map(said), ['201', '201', '201', '201', '201'])
    t.equal(await countOf('claims'), 3)
  })

  t.test('an Idempotency-Key has 16 to 128 visible ASCII characters', async (t) => {
    for (const key of [
      '',
      'x'.repeat(15),
      'x'.repeat(129),
      `${'x'.repeat(16)} y`,
      `é${'x'.repeat(16)}`,
    ]) {
      const answer = await tryPost(service, 'grammar', {}, withKey(key))
      t.match(answer, { status: 400, body: { errors: [{ parameter: 'idempotency-key' }] } }, key)
    }
    for (const key of ['!"#$%&\'()*+,-./~', 'x'.repeat(128)]) {
      t.equal(said(await tryPost(service, 'grammar', {}, withKey(key))), '201', key)
    }
  })

  t.test('an Idempotency-Key does not remember a refusal', async (t) => {
    const key = freshKey()
    await changeThread(service, 'refused', { state: 'closed' })
    t.equal(said(await tryPost(service, 'refused', {}, withKey(key))), '409 thread_closed')
    await changeThread(service, 'refused', { state: 'open' })
    t.equal(said(await tryPost(service, 'refused', { body: 'another' }, withKey(key))), '201')
  })

  t.test('an Idempotency-Key is forgotten after a day', async (t) => {
    const key = freshKey()
    const write = (body: string) => tryPost(service, 'days', { body }, withKey(key))
    const age = (interval: string) =>
      sql`update idempotency_keys set created_at = created_at - ${interval}::interval`.execute(
        service.db,
      )
    const first = await write('one')
    await age('23 hours 59 minutes')
    t.equal((await write('one')).text, first.text)
    await age('1 minute')
    const second = await write('two')
    t.equal(second.status, 201)
    t.equal((await write('two')).text, second.text, 'and remembered anew')
    t.equal(await countOf('days'), 2)
  })

  t.test(
    'an Idempotency-Key has one effect, however many requests carry it to two nodes together',
    async (t) => {
      for (let round = 0; round < 5; round++) {
        const options = withKey(freshKey(), { body: { body: 'text', author: ADA } })
        const url = `${SITE}/articles/parallel-${round}/comments`
        const send = async (n: number): Promise<Answer> => {
          if (n % 2) return call('POST', url, options)
          const answer = await twin.inject({
            method: 'POST',
            url,
            headers: options.headers,
            payload: options.body as object,
          })
          const { statusCode: status, headers, body: text } = answer
          return { status, headers, text, body: JSON.parse(text) }
        }
        const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => send(n)))
        const good = answers.filter(({ status }) => status === 201)
        t.ok(good.length >= 1)
        t.equal(new Set(good.map(({ text }) => text)).size, 1, 'one answer')
        const bad = answers.filter(({ status }) => status !== 201)
        t.same(new Set(bad.map(said)), new Set(bad.length > 0 ? ['409 idempotency_in_flight'] : []))
        t.equal(await countOf(`parallel-${round}`), 1)
      }
    },
  )

  t.test('an Idempotency-Key is refused while its first request is in progress', async (t) => {
    const { id } = await post('in-flight', 'root')
    const threadId = IDS.readComment(id)!.threadId
    const key = freshKey()
    const write = () => tryPost(service, 'in-flight', {}, withKey(key))
    const first = await service.db.connection().execute(async (session) => {
      await sql`select pg_advisory_lock(${threadId}::bigint)`.execute(session)
      const waiting = write()
      await untilSomebodyWaits(service)
      t.equal(said(await write()), '409 idempotency_in_flight')
      await sql`select pg_advisory_unlock(${threadId}::bigint)`.execute(session)
      return waiting
    })
    t.equal(said(first), '201')
    t.equal((await write()).text, first.text)
  })

  t.test('repeated requests keep every count right', async (t) =>
    t.same(await recount(service.db), []),
  )
})

/** Gives up after many questions, each of which takes Postgres a moment. */
const untilSomebodyWaits = async ({ db }: TestService): Promise<void> => {
  for (let questions = 0; questions < 2_000; questions++) {
    const { rows } = await sql`select from pg_locks where locktype = 'advisory' and not granted
      and database = (select oid from pg_database where datname = current_database())`.execute(db)
    if (rows.length > 0) return
  }
  throw new Error('nobody waits for an advisory lock')
}
