import t from 'tap'
import type { CommentRecord, ThreadRecord } from '../../../src/domain/importing/records.ts'
import { commentsOf, expectFile, readAll, realFile, summaryOf } from './reading.ts'

const firstOf = async (content: unknown): Promise<CommentRecord | undefined> =>
  commentsOf(await readAll(JSON.stringify(content)))[0]
const threadsOf = async (content: string): Promise<ThreadRecord[]> =>
  (await readAll(content)).records.filter((record) => record.kind === 'thread')

const commento = (fields: object) => ({
  version: 1,
  comments: [
    {
      commentHex: 'c1',
      domain: 'blog.example',
      url: '/fish',
      commenterHex: 'p1',
      markdown: '**one**',
      parentHex: 'root',
      score: 3,
      state: 'approved',
      creationDate: '2021-03-12T11:21:56Z',
      deleted: false,
      ...fields,
    },
  ],
  commenters: [{ commenterHex: 'p1', name: 'Ada', email: 'ada@a.example', link: 'undefined' }],
})

t.test('Commento: a comment has its author, who comes later in the file', async (t) => {
  const read = await readAll(JSON.stringify(commento({})))
  t.same(read.records, [
    { kind: 'origin', origin: 'commento:blog.example' },
    {
      kind: 'comment',
      id: 'c1',
      threadKey: 'https://blog.example/fish',
      parentId: null,
      author: { key: 'p1', name: 'Ada', email: 'ada@a.example', url: null },
      createdAt: '2021-03-12T11:21:56.000Z',
      editedAt: null,
      status: 'approved',
      body: '**one**',
      original: null,
      upvotes: 3,
      downvotes: 0,
      isPinned: false,
      address: null,
    },
    {
      kind: 'thread',
      key: 'https://blog.example/fish',
      address: 'https://blog.example/fish',
      title: null,
      isClosed: false,
    },
  ])
})

t.test('Commento: each state has its status, and a negative score is downvotes', async (t) => {
  const states = { approved: 'approved', unapproved: 'pending', flagged: 'spam' }
  for (const [state, status] of Object.entries(states))
    t.match(await firstOf(commento({ state })), { status })
  t.match(await firstOf(commento({ deleted: true, markdown: '' })), { status: 'deleted', body: '' })
  t.match(await firstOf(commento({ score: -2 })), { upvotes: 0, downvotes: 2 })
  t.match(await firstOf(commento({ commenterHex: 'anonymous' })), {
    author: { key: null, name: '' },
  })
  t.match(await firstOf(commento({ markdown: '', html: '<b>one</b>' })), {
    body: '**one**',
    original: '<b>one</b>',
  })
})

t.test('Comentario 1: comments have a host and a path', async (t) => {
  const file = commento({ domain: undefined, url: undefined, host: 'blog.example', path: '/fish' })
  const read = await readAll(JSON.stringify(file))
  t.match(summaryOf(read), { format: 'comentario', origin: 'comentario:blog.example', comments: 1 })
  t.match(commentsOf(read), [{ threadKey: 'https://blog.example/fish' }])
})

const comentario3 = (fields: object) => ({
  version: 3,
  pages: [{ id: 'g1', path: '/fish', title: 'Fish', isReadonly: true }],
  comments: [
    {
      id: 'c1',
      pageId: 'g1',
      url: 'https://blog.example/fish#comentario-c1',
      userCreated: 'p1',
      markdown: 'one',
      createdTime: '2023-11-14T20:15:12.000Z',
      isApproved: true,
      isSticky: true,
      score: 1,
      ...fields,
    },
  ],
  commenters: [{ id: 'p1', name: 'Ada', email: 'ada@a.example', websiteUrl: 'https://a.example/' }],
})

t.test('Comentario 3: flags give status, pin and closing', async (t) => {
  const content = JSON.stringify(comentario3({}))
  t.match(await firstOf(comentario3({})), {
    author: { name: 'Ada', email: 'ada@a.example', url: 'https://a.example/' },
    status: 'approved',
    isPinned: true,
    upvotes: 1,
  })
  t.same(await threadsOf(content), [
    {
      kind: 'thread',
      key: 'g1',
      address: 'https://blog.example/fish',
      title: 'Fish',
      isClosed: true,
    },
  ])
  t.match(await firstOf(comentario3({ isPending: true })), { status: 'pending' })
  t.match(await firstOf(comentario3({ isApproved: false })), { status: 'rejected' })
  t.match(await firstOf(comentario3({ isDeleted: true, markdown: '' })), { status: 'deleted' })
})

const remark42 = (...comments: object[]): string =>
  [
    { version: 1, users: [], posts: [{ url: 'https://blog.example/fish', read_only: true }] },
    ...comments.map((fields, index) => ({
      id: `c${index + 1}`,
      pid: '',
      text: '<p>one <b>two</b></p>',
      user: { name: 'Ada', id: 'github_1', ip: 'a5b0cf15' },
      locator: { site: 'blog', url: 'https://blog.example/fish' },
      score: 0,
      votes: {},
      time: '2017-12-20T15:18:22-06:00',
      ...fields,
    })),
  ]
    .map((value) => JSON.stringify(value))
    .join('\n\t')

t.test('Remark42: a backup gives votes, pins, edits and closed articles', async (t) => {
  const edit = { time: '2017-12-21T00:00:00Z', summary: 'typo' }
  const votes = { a: true, b: true, c: false }
  const content = remark42(
    { orig: 'one **two**', votes, pin: true, edit, title: 'Fish' },
    { pid: 'c1', score: -2 },
  )
  const [first, second] = commentsOf(await readAll(content))
  t.match(first, {
    author: { key: 'github_1', name: 'Ada', email: null },
    createdAt: '2017-12-20T21:18:22.000Z',
    editedAt: '2017-12-21T00:00:00.000Z',
    body: 'one **two**',
    original: null,
    upvotes: 2,
    downvotes: 1,
    isPinned: true,
    address: null,
  })
  t.match(second, {
    parentId: 'c1',
    body: 'one **two**',
    original: '<p>one <b>two</b></p>',
    downvotes: 2,
  })
  t.match(await threadsOf(content), [{ title: 'Fish', isClosed: true }, { title: null }])
  t.match(commentsOf(await readAll(remark42({ delete: true, text: '' }))), [{ status: 'deleted' }])
})

const artran = {
  id: '2',
  rid: '1',
  content: 'one **two**',
  ip: '192.0.2.1',
  is_pending: 'true',
  is_pinned: true,
  vote_up: '3',
  vote_down: 1,
  created_at: '2022-04-09T09:28:47.000Z',
  nick: 'Ada',
  email: 'ada@a.example',
  link: 'https://a.example/',
  page_key: '/fish',
  page_title: 'Fish',
  page_admin_only: false,
  site_name: 'Blog',
}

t.test('Artrans: fields are read whether they are texts or values', async (t) => {
  const read = await readAll(
    JSON.stringify([artran, { ...artran, id: 3, rid: 0, is_pending: false }]),
  )
  t.match(summaryOf(read), {
    format: 'artalk',
    origin: 'artalk:Blog',
    statuses: { pending: 1, approved: 1 },
  })
  t.match(commentsOf(read), [
    { id: '2', parentId: '1', upvotes: 3, downvotes: 1, isPinned: true, address: '192.0.2.1' },
    { id: '3', parentId: null },
  ])
})

const valine = (fields: object) => ({
  objectId: 'c1',
  nick: 'Ada',
  mail: 'ada@a.example',
  link: 'https://a.example/',
  comment: '<p>one</p>\n',
  url: '/fish',
  ip: '::ffff:192.0.2.1',
  createdAt: '2021-10-26T13:00:41.284Z',
  ...fields,
})

t.test(
  'Valine: an array and lines after the header of LeanCloud give the same comments',
  async (t) => {
    const rows = [
      valine({}),
      valine({
        objectId: 'c2',
        pid: 'c1',
        comment: '## raw',
        createdAt: { iso: '2021-10-26T13:00:41.284Z' },
      }),
    ]
    const lines = rows.map((row) => JSON.stringify(row)).join('\n')
    const array = await readAll(JSON.stringify(rows))
    const streamed = await readAll(`#filetype:JSON-streaming {"type":"Class"}\n${lines}`)
    t.same(array, streamed)
    t.match(commentsOf(array), [
      { body: 'one', original: '<p>one</p>\n', address: '192.0.2.1' },
      { parentId: 'c1', body: '## raw', original: null },
    ])
  },
)

t.test('Valine: the address of a reply in its text is left out', async (t) => {
  const comment = '<p><a class="at" href="#c1">@ada</a> , one</p>'
  t.match(await firstOf([valine({ comment })]), { body: 'one' })
})

t.test('Waline: the export gives status, pin and likes', async (t) => {
  const rows = ['approved', 'waiting', 'spam'].map((status, id) =>
    valine({ objectId: id + 1, status, sticky: 1, like: 4, user_id: 7 }),
  )
  const data = { Users: [], Comment: rows, Counter: [] }
  const file = {
    type: 'waline',
    version: 1,
    time: 0,
    tables: ['Comment', 'Counter', 'Users'],
    data,
  }
  const read = await readAll(JSON.stringify(file))
  t.match(summaryOf(read), { format: 'waline', statuses: { approved: 1, pending: 1, spam: 1 } })
  t.match(commentsOf(read)[0], { id: '1', upvotes: 4, isPinned: true, author: { key: '7' } })
})

t.test('Twikoo: lines of MongoDB give status, likes and the address of the article', async (t) => {
  const twikoo = {
    ...valine({}),
    objectId: undefined,
    _id: { $oid: 'c1' },
    createdAt: undefined,
    created: 1_612_421_386_000,
    href: 'https://blog.example/fish',
    like: ['a', 'b'],
  }
  const content = [twikoo, { ...twikoo, _id: 'c2', isSpam: true }]
    .map((row) => JSON.stringify(row))
    .join('\n')
  const read = await readAll(content)
  t.match(summaryOf(read), { format: 'twikoo', statuses: { approved: 1, spam: 1 } })
  t.match(commentsOf(read)[0], { id: 'c1', createdAt: '2021-02-04T06:49:46.000Z', upvotes: 2 })
  t.match(await threadsOf(content), [{ key: '/fish', address: 'https://blog.example/fish' }])
})

t.test('Isso: its generic JSON has ids that are unique in their thread', async (t) => {
  const comment = {
    id: 1,
    author: 'Ada',
    email: '',
    website: null,
    remote_addr: '192.0.2.0',
    created: '2018-11-28 17:24:23',
    text: 'one',
  }
  const reply = { ...comment, id: 2, parent: 1, mode: 2, created_epoch: 1_700_000_000.5 }
  const read = await readAll(
    JSON.stringify([
      { id: '/a', title: 'A', comments: [comment, reply] },
      { id: '/b', title: 'B', comments: [comment] },
      { id: '/c', title: 'C', comments: [] },
    ]),
  )
  t.match(summaryOf(read), {
    format: 'generic',
    comments: 3,
    threads: 2,
    statuses: { approved: 2, pending: 1 },
  })
  t.match(commentsOf(read), [
    { id: '/a#1', createdAt: '2018-11-28T17:24:23.000Z' },
    { id: '/a#2', parentId: '/a#1', createdAt: '2023-11-14T22:13:20.500Z' },
    { id: '/b#1' },
  ])
})

t.test('Cusdis: pages of projects have their comments', async (t) => {
  const comment = {
    id: 'c1',
    parent_id: null,
    created_at: 1_700_000_000_000,
    deleted_at: null,
    approved: true,
    by_nickname: 'Ada',
    by_email: 'ada@a.example',
    content: '*one*',
  }
  const comments = [
    comment,
    { ...comment, id: 'c2', approved: false, parent_id: 'c1' },
    { ...comment, id: 'c3', deleted_at: 1 },
  ]
  const pages = [
    { id: 'g1', slug: '/fish', url: 'https://blog.example/fish', title: 'Fish', comments },
  ]
  const content = JSON.stringify({
    source: 'cusdis',
    version: 1,
    projects: [{ id: 'x', title: 'Blog', pages }],
  })
  const read = await readAll(content)
  t.match(summaryOf(read), {
    format: 'cusdis',
    statuses: { approved: 1, pending: 1, deleted: 1 },
    depth: 1,
  })
  t.match(await threadsOf(content), [
    { key: 'g1', address: 'https://blog.example/fish', title: 'Fish' },
  ])
})

t.test('Garrul: the rows of its tables are joined', async (t) => {
  const content = JSON.stringify({
    comments: [
      {
        id: 'c1',
        post_slug: 'fish',
        parent_id: null,
        user_id: 'p1',
        body_md: 'one',
        status: 'spam',
        created_at: 1_700_000_000_000,
      },
    ],
    users: [{ id: 'p1', name: 'Ada', email: 'ada@a.example' }],
    posts: [{ slug: 'fish', title: 'Fish', url: 'https://blog.example/fish' }],
  })
  const read = await readAll(content)
  t.match(summaryOf(read), { format: 'garrul', origin: 'garrul', statuses: { spam: 1 } })
  t.match(commentsOf(read), [{ author: { key: 'p1', name: 'Ada', email: 'ada@a.example' } }])
  t.match(await threadsOf(content), [{ address: 'https://blog.example/fish', title: 'Fish' }])
})

t.test('Coral: the CSV of comments is read, with the dates of two languages', async (t) => {
  const content = [
    '\ufeffComment ID,Published Timestamp,Article URL,Comment URL,Comment Text,Media',
    'c1,"11/23/2026, 24:05:09",https://blog.example/fish,https://blog.example/fish?commentID=c1,"one, ""two""\nthree",',
    'c2,"23.11.2026, 14:05:09",https://blog.example/fish,,four,giphy: https://a.example/g.gif',
  ].join('\r\n')
  const read = await readAll(content, { chunkBytes: 40 })
  t.match(summaryOf(read), {
    format: 'coral',
    origin: 'coral:blog.example',
    comments: 2,
    threads: 1,
  })
  t.match(commentsOf(read), [
    { id: 'c1', createdAt: '2026-11-23T00:05:09.000Z', body: 'one, "two"\nthree' },
    { id: 'c2', createdAt: '2026-11-23T14:05:09.000Z', body: 'four\n\nhttps://a.example/g.gif' },
  ])
})

t.test('Coral: no row of a large file is lost', async (t) => {
  const rows = Array.from(
    { length: 20_000 },
    (_, id) => `c${id},2026-01-01 00:00:00,https://blog.example/a,,text`,
  )
  const read = await readAll(
    ['Comment ID,Published Timestamp,Article URL,Comment URL,Comment Text', ...rows].join('\n'),
  )
  t.equal(commentsOf(read).length, 20_000)
})

t.test('JSON: a file gives the same records however it is cut into chunks', async (t) => {
  const contents = [
    JSON.stringify(commento({ markdown: 'é 中文 🙂 \\ "' })),
    remark42({}, { text: '中文 🙂' }),
    JSON.stringify([artran]),
    `#filetype:JSON-streaming {}\n${JSON.stringify(valine({}))}`,
  ]
  for (const content of contents) {
    const whole = await readAll(content)
    for (const chunkBytes of [1, 3, 7]) t.same(await readAll(content, { chunkBytes }), whole)
  }
})

t.test('JSON: a file that is cut off is refused with line and column', async (t) => {
  const contents = [
    JSON.stringify(commento({}), null, 1),
    remark42({}, {}),
    JSON.stringify([artran], null, 1),
    JSON.stringify([valine({})]),
  ]
  for (const content of contents)
    for (const part of [0.4, 0.7, 0.97]) {
      const read = readAll(content.slice(0, Math.floor(content.length * part)))
      await t.rejects(read, { name: 'UnreadableFile', line: Number, column: Number })
    }
  const wrong = '[\n {"id": "1", "page_key": "/", "content": "é"},\n {"id" "2"}\n]'
  await t.rejects(readAll(wrong), {
    message: 'The file is not valid JSON here.',
    line: 3,
    column: 8,
  })
})

t.test('JSON: values that nest 200,000 levels deep are refused', async (t) => {
  const deep = `[{"page_key":"/","content":${'['.repeat(200_000)}`
  await t.rejects(readAll(deep), { name: 'UnreadableFile', message: /nest deeper than 100/ })
})

t.test('readExport names the export of this service, whose lines others read', async (t) => {
  const { openExport } = await import('../../../src/workers/importing/read-export.ts')
  const content = async function* () {
    yield Buffer.from('{"format":"afterword","version":1}\n{"kind":"thread"}\n')
  }
  const opened = await openExport(content())
  t.equal(opened.format, 'afterword')
  let text = ''
  for await (const bytes of opened.bytes) text += Buffer.from(bytes).toString()
  t.equal(text, '{"format":"afterword","version":1}\n{"kind":"thread"}\n')
})

const REAL: Readonly<Record<string, Parameters<typeof expectFile>[2]>> = {
  'commento/commento-1.json': {
    format: 'commento',
    origin: 'commento:example.com',
    comments: 3,
    threads: 2,
    depth: 1,
    statuses: { approved: 3 },
  },
  'commento/commento-2.json': {
    format: 'commento',
    origin: 'commento:example.com',
    skips: { empty: 7 },
  },
  'remark42/native-backup-0.jsonl': {
    format: 'remark42',
    origin: 'remark42:radio-t',
    comments: 2,
    threads: 2,
    statuses: { approved: 2 },
  },
  'remark42/native-backup-1.jsonl': {
    format: 'remark42',
    origin: 'remark42:radio-t',
    comments: 2,
    threads: 2,
    statuses: { approved: 2 },
  },
  'remark42/native-backup-4.jsonl': { format: 'remark42', origin: 'remark42:' },
  'valine/xiaoload-Comment.0.jsonl': {
    format: 'valine',
    origin: 'valine',
    comments: 5,
    threads: 1,
    statuses: { approved: 5 },
  },
  'artalk/Disqus.sample': {
    format: 'disqus',
    origin: 'disqus:qwqcode',
    comments: 4,
    threads: 1,
    depth: 2,
    statuses: { approved: 4 },
  },
  'artalk/Disqus.artrans': {
    format: 'artalk',
    origin: 'artalk:',
    comments: 4,
    threads: 1,
    depth: 2,
    statuses: { approved: 4 },
  },
  'artalk/Twikoo.sample': {
    format: 'twikoo',
    origin: 'twikoo',
    comments: 7,
    threads: 1,
    statuses: { approved: 7 },
  },
  'artalk/Twikoo.artrans': {
    format: 'artalk',
    origin: 'artalk:',
    comments: 7,
    threads: 1,
    statuses: { approved: 7 },
  },
  'artalk/Valine.sample': {
    format: 'valine',
    origin: 'valine',
    comments: 2,
    threads: 1,
    depth: 1,
    statuses: { approved: 2 },
  },
  'artalk/Valine.artrans': {
    format: 'artalk',
    origin: 'artalk:',
    comments: 2,
    threads: 1,
    depth: 1,
    statuses: { approved: 2 },
  },
  'artalk/WordPress.sample': {
    format: 'wxr',
    origin: 'wordpress:http://10.90.1.130:8099',
    comments: 5,
    threads: 1,
    depth: 2,
    statuses: { approved: 5 },
  },
  'artalk/WordPress.artrans': {
    format: 'artalk',
    origin: 'artalk:',
    comments: 5,
    threads: 1,
    depth: 2,
    statuses: { approved: 5 },
  },
}

for (const [path, expected] of Object.entries(REAL))
  t.test(`${path} has the comments that are written down`, async (t) => {
    await expectFile(t, path, expected)
  })

const REFUSED: Readonly<Record<string, RegExp>> = {
  // Responses of the API: a tree, a tree with deleted comments, and a list.
  'remark42/tree.json': /response of the API of Remark42/,
  'remark42/tree_del.json': /response of the API of Remark42/,
  'remark42/tree_bench.json': /response of the API of Remark42/,
  'remark42/native-backup-2.jsonl': /Version 2 of a backup of Remark42/,
  // The tables of a test of Artalk, which Artalk itself does not import.
  ...Object.fromEntries(
    ['comments', 'notifies', 'pages', 'sites', 'users', 'votes'].map((name) => [
      `artalk/atk_${name}.yml`,
      /no format that can be imported/,
    ]),
  ),
  // Empty tables as SQL.
  'waline/waline.sql': /dump of SQL/,
  'waline/waline.pgsql': /dump of SQL/,
  'waline/waline.sqlite.sql': /dump of SQL/,
}

for (const [path, message] of Object.entries(REFUSED))
  t.test(`${path} is refused with a sentence`, async (t) => {
    const content = realFile(t, path)
    if (content) await t.rejects(readAll(content), { name: 'UnreadableFile', message })
  })

/**
 * What two files of a pair say of their comments. Emphasis that one file has as HTML and the other as
 * Markdown is the same. Artalk drops the authors' addresses of WordPress, so addresses are not compared.
 */
const essenceOf = async (content: Buffer) =>
  commentsOf(await readAll(content)).map(({ id, parentId, createdAt, status, author, body }) => ({
    id,
    parentId,
    createdAt,
    status,
    name: author.name,
    email: author.email,
    url: author.url,
    body,
  }))

for (const system of ['Disqus', 'Twikoo', 'Valine', 'WordPress'])
  t.test(`the pair of ${system} gives equal comments`, async (t) => {
    const sample = realFile(t, `artalk/${system}.sample`)
    const artrans = realFile(t, `artalk/${system}.artrans`)
    if (sample && artrans) t.same(await essenceOf(sample), await essenceOf(artrans))
  })
