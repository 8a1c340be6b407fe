import t from 'tap'
import { commentsOf, expectFile, readAll, realFile, summaryOf } from './reading.ts'

type Fields = Readonly<Record<string, string>>
const elements = (fields: Fields): string =>
  Object.entries(fields)
    .map(([name, value]) => `<${name}>${value}</${name}>`)
    .join('')

const threadXml = (id: string, fields: Fields = {}): string =>
  `<thread dsq:id="${id}"><id/><forum>blog</forum>${elements({ link: `https://blog.example/${id}`, title: 'Fish &amp;amp; chips', isClosed: 'false', isDeleted: 'false', ...fields })}</thread>`
const postXml = (id: string, thread: string, fields: Fields = {}, parent = ''): string =>
  `<post${id && ` dsq:id="${id}"`}>${elements({ message: '<![CDATA[<p>one <b>two</b></p>]]>', createdAt: '2011-08-31T15:16:29Z', isDeleted: 'false', isSpam: 'false', author: '<name>Ada</name><email>ada@a.example</email><isAnonymous>false</isAnonymous><username>ada</username>', ipAddress: '192.0.2.1', ...fields })}<thread dsq:id="${thread}"/>${parent && `<parent dsq:id="${parent}"/>`}</post>`
const disqus = (content: string): string =>
  `<?xml version="1.0" encoding="utf-8"?><disqus xmlns="http://disqus.com" xmlns:dsq="http://disqus.com/disqus-internals">${content}</disqus>`

t.test('Disqus: a post keeps its author, date, parent and text', async (t) => {
  const { format, records } = await readAll(disqus(threadXml('t') + postXml('p', 't', {}, 'q')))
  t.equal(format, 'disqus')
  t.same(records, [
    { kind: 'origin', origin: 'disqus:blog' },
    {
      kind: 'thread',
      key: 't',
      address: 'https://blog.example/t',
      title: 'Fish & chips',
      isClosed: false,
    },
    {
      kind: 'comment',
      id: 'p',
      threadKey: 't',
      parentId: 'q',
      author: { key: 'ada', name: 'Ada', email: 'ada@a.example', url: null },
      createdAt: '2011-08-31T15:16:29.000Z',
      editedAt: null,
      status: 'approved',
      body: 'one **two**',
      original: '<p>one <b>two</b></p>',
      upvotes: 0,
      downvotes: 0,
      isPinned: false,
      address: '192.0.2.1',
    },
  ])
})

t.test('Disqus: spam, deleted posts and posts of deleted threads have their status', async (t) => {
  const content =
    threadXml('t') +
    threadXml('gone', { isDeleted: 'true' }) +
    postXml('1', 't', { isSpam: 'true' }) +
    postXml('2', 't', { isDeleted: 'true', message: '' }) +
    postXml('3', 'gone') +
    postXml('4', 't', { isApproved: 'false' })
  const read = await readAll(disqus(content))
  t.same(
    commentsOf(read).map(({ status }) => status),
    ['spam', 'deleted', 'deleted', 'pending'],
  )
})

t.test(
  'Disqus: a post without an attribute has the id of its element, and an odd post is skipped',
  async (t) => {
    const content =
      threadXml('t') +
      postXml('', 't', { id: '77' }) +
      postXml('', 't') +
      postXml('2', 'unknown') +
      postXml('3', 't', { createdAt: '2011-x09' }) +
      postXml('4', 't', { message: '' })
    const read = await readAll(disqus(content))
    t.same(
      commentsOf(read).map(({ id }) => id),
      ['id:77'],
    )
    t.same(summaryOf(read).skips, { no_id: 1, no_thread: 1, bad_date: 1, empty: 1 })
  },
)

t.test('Disqus: a closed thread is closed, and an anonymous author has no key', async (t) => {
  const author = '<name>Guest</name><isAnonymous>true</isAnonymous>'
  const content = disqus(threadXml('t', { isClosed: 'true' }) + postXml('1', 't', { author }))
  const read = await readAll(content)
  t.match(read.records[1], { kind: 'thread', isClosed: true })
  t.match(commentsOf(read), [{ author: { key: null, name: 'Guest', email: null } }])
})

t.test('Disqus: a file that is cut off is refused with line and column', async (t) => {
  const content = disqus(threadXml('t') + postXml('1', 't'))
  for (const part of [0.3, 0.6, 0.9]) {
    const cut = readAll(content.slice(0, Math.floor(content.length * part)))
    await t.rejects(cut, { name: 'UnreadableFile', line: Number, column: Number })
  }
})

const MENDED = [
  '1:2 text precedes the root element',
  '1:7 text or white space precedes the XML declaration',
  '147:24 an attribute without quotes was read',
]
const odd = {
  format: 'disqus',
  origin: 'disqus:radiot',
  comments: 5,
  threads: 2,
  skips: { bad_date: 1 },
  repairs: MENDED,
} as const
const REAL: Readonly<Record<string, Parameters<typeof expectFile>[2]>> = {
  'artransfer.xml': {
    origin: 'disqus:qwqcode',
    comments: 4,
    threads: 1,
    depth: 2,
    statuses: { approved: 4 },
  },
  'isso.xml': {
    origin: 'disqus:disqusdev',
    comments: 5,
    threads: 2,
    depth: 1,
    statuses: { approved: 4, deleted: 1 },
    skips: { no_thread: 1 },
  },
  'real.xml': {
    origin: 'disqus:laisky',
    comments: 209,
    threads: 61,
    depth: 7,
    statuses: { approved: 204, deleted: 4, spam: 1 },
  },
  'remark42.xml': { ...odd, statuses: { approved: 4, spam: 1 } },
  'remark42-deleted-post.xml': { ...odd, statuses: { approved: 3, spam: 1, deleted: 1 } },
  'remark42-deleted-thread.xml': { ...odd, statuses: { approved: 2, deleted: 3 } },
  'schnack.xml': {
    origin: 'disqus:webkid',
    comments: 5,
    threads: 2,
    depth: 3,
    statuses: { approved: 5 },
  },
}

for (const [path, expected] of Object.entries(REAL))
  t.test(`Disqus: ${path} has the comments that are written down`, async (t) => {
    await expectFile(t, `disqus/${path}`, { format: 'disqus', ...expected })
  })

t.test('Disqus: real.xml has 736 threads, most of them without a comment', async (t) => {
  const content = realFile(t, 'disqus/real.xml')
  if (!content) return
  const { records } = await readAll(content)
  t.equal(records.filter(({ kind }) => kind === 'thread').length, 736)
})
