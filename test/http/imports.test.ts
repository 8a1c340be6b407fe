import t from 'tap'
import { faultsOf, importFile, readThread, sendFile, untilEnded, wxr } from '../imports.ts'
import { openService } from '../service.ts'

const ARTICLE = 'https://blog.example/first'

t.test('an import keeps authors, dates, statuses and the tree of a WordPress export', async (t) => {
  const service = await openService(t)
  const file = wxr({
    [ARTICLE]: [
      { id: 2, parent: 1, author: 'Grace', text: 'I agree.' },
      { id: 1, text: 'One <strong>first</strong> thought', url: 'https://ada.example' },
      { id: 3, parent: 2, approved: '0', text: 'Held', author: 'Grace' },
      { id: 4, approved: 'spam', text: 'Spam', email: '' },
      { id: 5, type: 'pingback', text: 'Ping' },
    ],
  })
  const { state, report, bytes } = await importFile(service, file)
  t.equal(state, 'done')
  t.equal(bytes, Buffer.byteLength(file))
  t.match(report, {
    format: 'wxr',
    origin: 'wordpress:https://blog.example',
    comments: { total: 5, created: 4, updated: 0, unchanged: 0, skipped: { pingback: 1 } },
    threads: { created: 1, matched: 0 },
    authors: { created: 3, matched: 0 },
    orphans: { total: 0 },
    duplicates: { total: 0 },
  })
  const comments = await readThread(service, ARTICLE)
  t.match(comments, [
    {
      body: 'One **first** thought',
      body_html: '<p>One <strong>first</strong> thought</p>\n',
      author: { name: 'Ada', url: 'https://ada.example' },
      created_at: '2012-01-02T03:04:01.000Z',
      edited_at: null,
      depth: 0,
      reply_count: 1,
    },
    { body: 'I agree.', author: { name: 'Grace' }, depth: 1, reply_count: 0 },
  ])
  t.equal(comments.length, 2)
  const { body: thread } = await service.get(`/articles/${encodeURIComponent(ARTICLE)}`)
  t.match(thread, { comment_count: 2, root_count: 1, title: 'Article 1', url: ARTICLE })
  t.same(await faultsOf(service), [])
})

t.test('an import that runs again stores nothing twice', async (t) => {
  const service = await openService(t)
  const file = wxr({ [ARTICLE]: [{ id: 1 }, { id: 2, parent: 1 }, { id: 3, approved: '0' }] })
  await importFile(service, file)
  const before = await readThread(service, ARTICLE)
  const { report } = await importFile(service, file)
  t.match(report, {
    comments: { created: 0, updated: 0, unchanged: 3 },
    threads: { created: 0, matched: 1 },
    authors: { created: 0, matched: 1 },
  })
  t.same(await readThread(service, ARTICLE), before)
  t.same(await faultsOf(service), [])
})

t.test('a newer export changes only what the other system changed', async (t) => {
  const service = await openService(t)
  const older = [{ id: 1 }, { id: 2, parent: 1 }, { id: 3 }, { id: 4 }]
  await importFile(service, wxr({ [ARTICLE]: older }))
  const [first] = await readThread(service, ARTICLE)
  const newer = [
    { id: 1, text: 'Corrected' },
    { id: 2, parent: 1 },
    { id: 3, approved: 'spam' },
    { id: 4 },
    { id: 5, parent: 2 },
  ]
  const { report } = await importFile(service, wxr({ [ARTICLE]: newer }))
  t.match(report.comments, { created: 1, updated: 2, unchanged: 2 })
  const comments = await readThread(service, ARTICLE)
  t.same(
    comments.map(({ body, depth }) => [body, depth]),
    [
      ['Corrected', 0],
      ['Comment 2', 1],
      ['Comment 5', 2],
      ['Comment 4', 0],
    ],
  )
  t.equal(comments[0]!.id, first!.id)
  t.same(await faultsOf(service), [])
})

t.test('a decision or an edit made here beats the export', async (t) => {
  const service = await openService(t)
  await importFile(service, wxr({ [ARTICLE]: [{ id: 1 }, { id: 2 }] }))
  const [first, second] = await readThread(service, ARTICLE)
  await service.decide(first!.id, 'approved', 'rejected')
  await service.call('PATCH', `/v1/sites/default/comments/${second!.id}`, {
    token: service.adminKey,
    body: { body: 'Edited here' },
  })
  const newer = [
    { id: 1, approved: 'spam' },
    { id: 2, text: 'Changed there' },
  ]
  const { report } = await importFile(service, wxr({ [ARTICLE]: newer }))
  t.match(report, {
    comments: { created: 0, updated: 0, unchanged: 2 },
    kept_here: {
      total: 2,
      items: [
        { id: '1', what: 'status' },
        { id: '2', what: 'text' },
      ],
    },
  })
  t.same(
    (await readThread(service, ARTICLE)).map(({ body }) => body),
    ['Edited here'],
  )
  t.same(await faultsOf(service), [])
})

t.test('an import merges into a thread that has comments of its own', async (t) => {
  const service = await openService(t)
  await service.post(ARTICLE, 'Posted here')
  const { report } = await importFile(
    service,
    wxr({ [ARTICLE]: [{ id: 1 }, { id: 2, parent: 1 }] }),
  )
  t.match(report.threads, { created: 0, matched: 1 })
  const comments = await readThread(service, ARTICLE)
  t.same(
    comments.map(({ body }) => body),
    ['Comment 1', 'Comment 2', 'Posted here'],
  )
  const reply = await service.post(ARTICLE, 'A reply to an imported comment', {
    parent_id: comments[1]!.id,
  })
  t.equal(reply.depth, 2)
  t.same(await faultsOf(service), [])
})

t.test('a dry run reports exactly what the import then does, and changes nothing', async (t) => {
  const service = await openService(t)
  const deep = Array.from({ length: 40 }, (_, n) => ({ id: n + 10, parent: n === 0 ? 99 : n + 9 }))
  const file = wxr({
    [ARTICLE]: [{ id: 1 }, { id: 2, parent: 2 }, { id: 3, approved: 'trash' }, ...deep],
    'https://blog.example/second': [
      { id: 4, author: 'Grace' },
      { id: 4, text: 'Twice' },
    ],
  })
  await service.changeSite({ max_depth: 5 })
  const dry = await importFile(service, file, { dry_run: 'true' })
  t.equal(dry.dry_run, true)
  t.same(await readThread(service, ARTICLE), [])
  const real = await importFile(service, file)
  t.same(real.report, dry.report)
  t.match(real.report, {
    comments: { created: 44, skipped: { duplicate: 1 } },
    cut: 34,
    orphans: {
      total: 2,
      items: [
        { id: '2', reason: 'cycle' },
        { id: '10', reason: 'missing' },
      ],
    },
    duplicates: { total: 1, items: [{ id: '4' }] },
  })
  const again = await importFile(service, file, { dry_run: 'true' })
  t.match(again.report.comments, { created: 0, unchanged: 44 })
  t.same(await faultsOf(service), [])
})

t.test('comments that the other system did not show can be left out', async (t) => {
  const service = await openService(t)
  const file = wxr({
    [ARTICLE]: [
      { id: 1, approved: '0' },
      { id: 2, parent: 1 },
    ],
  })
  const { report } = await importFile(service, file, { unapproved: 'skip' })
  t.match(report, {
    comments: { created: 1, skipped: { unapproved: 1 } },
    orphans: { items: [{ id: '2', reason: 'missing' }] },
  })
})

t.test(
  'a file that is none, or is cut off, is refused with its line and stores nothing',
  async (t) => {
    const service = await openService(t)
    const whole = wxr({ [ARTICLE]: [{ id: 1 }, { id: 2 }] })
    const cut = await importFile(service, whole.slice(0, -60))
    t.match(cut, { state: 'failed', fault: { line: Number, column: Number } })
    const none = await importFile(service, 'not an export')
    t.match(none, { state: 'failed', fault: { detail: String } })
    t.same(await readThread(service, ARTICLE), [])
    const empty = await sendFile(service, '')
    t.match(empty, { status: 400, body: { code: 'invalid_request' } })
    const { rows } = await service.db
      .selectFrom('importChunks')
      .selectAll()
      .execute()
      .then((rows) => ({ rows }))
    t.same(rows, [], 'no file stays')
  },
)

t.test('an imported moderator has no right here', async (t) => {
  const service = await openService(t)
  const member = { name: 'Grace Hopper', roles: ['moderator'], email: 'grace@mail.example' }
  await service.call('PATCH', '/v1/sites/default/members/grace', {
    token: service.adminKey,
    body: member,
  })
  const author = { author: 'Grace Hopper', email: 'grace@mail.example' }
  await importFile(service, wxr({ [ARTICLE]: [{ id: 1, ...author }] }))
  const [comment] = await readThread(service, ARTICLE)
  t.match(comment!.author, { name: 'Grace Hopper', kind: 'guest', role: 'reader' })
})

t.test('an author who was erased stays erased when the export is imported again', async (t) => {
  const service = await openService(t)
  await importFile(
    service,
    wxr({ [ARTICLE]: [{ id: 1 }, { id: 2, author: 'Grace', email: 'g@mail.example' }] }),
  )
  const [first] = await readThread(service, ARTICLE)
  await service.call('DELETE', `/v1/sites/default/authors/${first!.author.id}`, {
    token: service.adminKey,
  })
  const newer = [
    { id: 1, text: 'Again' },
    { id: 2, author: 'Grace', email: 'g@mail.example' },
    { id: 3 },
  ]
  const { report } = await importFile(service, wxr({ [ARTICLE]: newer }))
  t.match(report.comments, { created: 0, skipped: { author_erased: 1 } })
  t.notMatch(
    (await readThread(service, ARTICLE)).map(({ body }) => body),
    /Again/,
  )
})

t.test('administrators list imports and read the report as a page', async (t) => {
  const service = await openService(t)
  const file = wxr({ [ARTICLE]: [{ id: 1, parent: 9 }] })
  const { id } = await importFile(service, file, { dry_run: 'true' })
  const token = service.adminKey
  const { body } = await service.get('/imports', { token })
  t.match(body.items, [{ id, state: 'done', dry_run: true }])
  const page = await service.get(`/imports/${id}/report`, { token })
  t.equal(page.headers['content-type'], 'text/html; charset=utf-8')
  t.match(page.text, '<tr><th scope="row">Comments created<td>1')
  t.match(page.text, '<li>1 (missing)')
  const cancelled = await service.call('POST', `/v1/sites/default/imports/${id}/cancel`, { token })
  t.match(cancelled, { status: 200, body: { state: 'done' } }, 'an ended import stays as it is')
})

t.test('a site imports one file at a time', async (t) => {
  const service = await openService(t)
  const file = wxr({ [ARTICLE]: Array.from({ length: 600 }, (_, id) => ({ id: id + 1 })) })
  const answers = await Promise.all([sendFile(service, file), sendFile(service, file)])
  t.same(new Set(answers.map(({ status }) => status)), new Set([202, 429]))
  const id = answers.find(({ status }) => status === 202)!.body.id
  t.equal((await untilEnded(service, id)).state, 'done')
})

t.test(
  'an import finds the thread of an article whatever the spelling of its address',
  async (t) => {
    const service = await openService(t)
    await service.post('https://blog.example/first/', 'Posted here')
    const file = wxr({
      'http://www.blog.example/first': [{ id: 1 }],
      'https://blog.example/first?utm_source=mail': [{ id: 2 }],
      'https://blog.example/other': [{ id: 3 }],
    })
    const dry = await importFile(service, file, { dry_run: 'true' })
    const { report } = await importFile(service, file)
    t.same(report, dry.report)
    t.match(report.threads, { created: 1, matched: 2 })
    t.equal((await readThread(service, 'https://blog.example/first/')).length, 3)
    t.same(await faultsOf(service), [])
  },
)

t.test('a site that takes all spellings for one article gets one thread from them', async (t) => {
  const service = await openService(t)
  const canonical = { article_ids: 'canonical' }
  await service.changeSite(canonical)
  const file = wxr({
    'http://www.blog.example/first': [{ id: 1 }],
    'https://blog.example/first/': [{ id: 2 }],
  })
  const dry = await importFile(service, file, { dry_run: 'true' })
  const { report } = await importFile(service, file)
  t.same(report, dry.report)
  t.match(report.threads, { created: 1, matched: 1 })
  t.equal((await readThread(service, 'https://BLOG.example/first')).length, 2)
  t.same(await faultsOf(service), [])
})

t.test('an export of this service is imported like any other file', async (t) => {
  const from = await openService(t)
  const first = await from.post('a', 'First')
  await from.post('a', 'Reply', { parent_id: first.id })
  const { text } = await from.get('/export', { token: from.adminKey })
  const to = await openService(t)
  const bad = await importFile(to, text.replace('"status":"approved"', '"status":"unheard"'))
  t.match(bad, { state: 'failed', fault: { line: Number } })
  t.same(await readThread(to, 'a'), [], 'a faulty line stores nothing of the file')
  const { state, report } = await importFile(to, text)
  t.equal(state, 'done')
  t.match(report, {
    format: 'afterword',
    comments: { total: 2, created: 2 },
    read_bytes: text.length,
  })
  t.same(
    (await readThread(to, 'a')).map(({ body, depth }) => [body, depth]),
    [
      ['First', 0],
      ['Reply', 1],
    ],
  )
  const cut = await importFile(await openService(t), text.slice(0, -20))
  t.match(cut, { state: 'failed', fault: { line: Number } })
})

t.test(
  'votes, pins and closed articles of a Remark42 backup come along, and again to the next site',
  async (t) => {
    const service = await openService(t)
    const url = 'https://blog.example/fish'
    const comment = (fields: object) => ({
      pid: '',
      orig: 'Text',
      text: '<p>Text</p>',
      user: { name: 'Ada', id: 'github_1' },
      locator: { site: 'blog', url },
      time: '2017-12-20T15:18:22Z',
      ...fields,
    })
    const backup = (votes: object) =>
      [
        { version: 1, users: [], posts: [{ url, read_only: true }] },
        comment({ id: 'one', votes, pin: true }),
        comment({ id: 'two', pid: 'one', votes: { a: false }, time: '2017-12-21T15:18:22Z' }),
      ]
        .map((line) => JSON.stringify(line))
        .join('\n')
    await importFile(service, backup({ a: true, b: true, c: false }))
    const [first, second] = await readThread(service, url)
    t.match(first, { upvotes: 2, downvotes: 1, score: 1, pinned: true })
    t.match(second, { score: -1, depth: 1 })
    t.match((await service.get(`/articles/${encodeURIComponent(url)}`)).body, { state: 'closed' })
    const { report } = await importFile(service, backup({ a: true, b: true, d: true }))
    t.match(report.comments, { updated: 1, unchanged: 1 })
    t.match((await readThread(service, url))[0], { upvotes: 3, downvotes: 0 })
    t.same(await faultsOf(service), [])
    const { text } = await service.get('/export', { token: service.adminKey })
    const next = await openService(t)
    await importFile(next, text)
    t.match((await readThread(next, url))[0], { upvotes: 3, downvotes: 0, pinned: true })
    t.equal((await next.get('/export', { token: next.adminKey })).text, text, 'byte for byte')
    t.same(await faultsOf(next), [])
  },
)

t.test('the original of an imported text goes with a site export', async (t) => {
  const service = await openService(t)
  await importFile(service, wxr({ [ARTICLE]: [{ id: 1, text: 'Some <em>HTML</em>' }] }))
  const [comment] = await readThread(service, ARTICLE)
  const path = `/comments/${comment!.id}/revisions`
  const { body } = await service.get(path, { token: service.adminKey })
  t.match(body.items, [{ body: 'Some <em>HTML</em>', replaced_by: 'import' }])
  const { text } = await service.get('/export', { token: service.adminKey })
  const next = await openService(t)
  await importFile(next, text)
  t.equal((await next.get('/export', { token: next.adminKey })).text, text, 'byte for byte')
})

t.test('an import of another site is not found', async (t) => {
  const service = await openService(t)
  const { id } = await importFile(service, wxr({ [ARTICLE]: [{ id: 1 }] }))
  const token = service.adminKey
  const other = { slug: 'other', name: 'Other' }
  await service.call('POST', '/v1/sites', { token, body: other })
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/report'],
    ['POST', '/cancel'],
  ] as const)
    t.match(await service.call(method, `/v1/sites/other/imports/${id}${path}`, { token }), {
      status: 404,
      body: { code: 'not_found' },
    })
})
