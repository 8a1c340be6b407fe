import t from 'tap'
import { commentsOf, expectFile, readAll, realFile, summaryOf } from './reading.ts'

type Comment = Readonly<Record<string, string>>

const commentXml = (fields: Comment): string =>
  `<wp:comment>${Object.entries({
    comment_id: '1',
    comment_author: 'Ada',
    comment_date_gmt: '2012-03-04 05:06:07',
    comment_content: 'one',
    comment_approved: '1',
    comment_parent: '0',
    ...fields,
  })
    .map(([name, value]) => `<wp:${name}><![CDATA[${value}]]></wp:${name}>`)
    .join('')}</wp:comment>`

const wxr = (comments: string, item = '', namespace = 'http://wordpress.org/export/1.2/'): string =>
  `<?xml version="1.0" encoding="UTF-8" ?>
<rss version="2.0" xmlns:wp="${namespace}"><channel>
<title>Blog</title><link>https://blog.example/</link><wp:base_site_url>https://blog.example</wp:base_site_url>
<item><title>Fish &amp;amp; chips</title><link>https://blog.example/fish/</link>${item}${comments}</item>
</channel></rss>`

t.test('WXR: a comment keeps its author, date, status, parent and text', async (t) => {
  const fields = {
    comment_id: '7',
    comment_author: 'Ada &amp; Co',
    comment_author_email: 'ada@a.example',
    comment_author_url: 'https://a.example/',
    comment_author_IP: '192.0.2.1',
    comment_date: '2012-03-04 07:06:07',
    comment_content: 'one <b>two</b>\nthree\n\nfour',
    comment_parent: '8',
    comment_user_id: '5',
  }
  const { format, records } = await readAll(wxr(commentXml(fields)))
  t.equal(format, 'wxr')
  t.same(records, [
    { kind: 'origin', origin: 'wordpress:https://blog.example' },
    {
      kind: 'comment',
      id: '7',
      threadKey: '1',
      parentId: '8',
      author: { key: '5', name: 'Ada & Co', email: 'ada@a.example', url: 'https://a.example/' },
      createdAt: '2012-03-04T05:06:07.000Z',
      editedAt: null,
      status: 'approved',
      body: 'one **two**\nthree\n\nfour',
      original: 'one <b>two</b>\nthree\n\nfour',
      upvotes: 0,
      downvotes: 0,
      isPinned: false,
      address: '192.0.2.1',
    },
    {
      kind: 'thread',
      key: '1',
      address: 'https://blog.example/fish/',
      title: 'Fish & chips',
      isClosed: false,
    },
  ])
})

t.test('WXR: each value of comment_approved has its status', async (t) => {
  const values = ['1', '0', 'spam', 'trash', 'post-trashed', 'hold', 'odd']
  const comments = values.map((value, id) =>
    commentXml({ comment_id: String(id + 1), comment_approved: value }),
  )
  const read = await readAll(wxr(comments.join('')))
  const statuses = commentsOf(read).map(({ status }) => status)
  t.same(statuses, ['approved', 'pending', 'spam', 'deleted', 'deleted', 'pending', 'pending'])
})

t.test('WXR: pingbacks, trackbacks and notes are skipped, each for its reason', async (t) => {
  const types = ['pingback', 'trackback', 'order_note', 'comment', '']
  const comments = types.map((type, id) =>
    commentXml({ comment_id: String(id + 1), comment_type: type }),
  )
  const read = await readAll(wxr(comments.join('')))
  t.match(summaryOf(read), { comments: 2, skips: { pingback: 1, trackback: 1, other_type: 1 } })
})

t.test('WXR: a comment without an id, a text or a date is skipped', async (t) => {
  const comments = [
    commentXml({ comment_id: '' }),
    commentXml({ comment_content: '' }),
    commentXml({ comment_date_gmt: 'yesterday' }),
  ]
  const read = await readAll(wxr(comments.join('')))
  t.match(summaryOf(read), { comments: 0, skips: { no_id: 1, empty: 1, bad_date: 1 } })
})

t.test(
  'WXR: a date of zeros falls back to the local date, and no date to that of the article',
  async (t) => {
    const zeros = commentXml({
      comment_date_gmt: '0000-00-00 00:00:00',
      comment_date: '2012-03-04 09:00:00',
    })
    const none = commentXml({ comment_id: '2', comment_date_gmt: '' })
    const item = '<wp:post_date_gmt>2011-01-01 00:00:00</wp:post_date_gmt>'
    const read = await readAll(wxr(zeros + none, item))
    const dates = commentsOf(read).map(({ createdAt }) => createdAt)
    t.same(dates, ['2012-03-04T09:00:00.000Z', '2011-01-01T00:00:00.000Z'])
    t.match(summaryOf(read).repairs, [/a comment without a date got the date of its article/])
  },
)

t.test(
  'WXR: versions 1.0 to 1.2 are read with http and https, and without a version',
  async (t) => {
    for (const scheme of ['http', 'https'])
      for (const version of ['1.0', '1.1', '1.2']) {
        const read = await readAll(
          wxr(commentXml({}), '', `${scheme}://wordpress.org/export/${version}/`),
        )
        t.match(summaryOf(read), { format: 'wxr', comments: 1, repairs: [] })
      }
  },
)

t.test('WXR: an article that takes no comments is closed, wherever the file says so', async (t) => {
  const closed = '<wp:comment_status>closed</wp:comment_status>'
  for (const content of [wxr(commentXml({}), closed), wxr(commentXml({}) + closed)]) {
    const { records } = await readAll(content)
    const threads = records.filter(({ kind }) => kind === 'thread')
    t.match(threads.at(-1), { isClosed: true })
  }
})

t.test('WXR: a file gives the same records however it is cut into chunks', async (t) => {
  const text = 'é & <b>中文</b> ]]&gt; &#8217;'
  const comments = [commentXml({ comment_content: text }), commentXml({ comment_id: '2' })]
  const content = wxr(`${comments.join('<!-- a & b -->')} AT&T `)
  const whole = await readAll(content)
  t.equal(whole.records.length, 5)
  for (const chunkBytes of [1, 2, 3, 5, 7, 64])
    t.same(await readAll(content, { chunkBytes }), whole)
})

t.test(
  'WXR: faults that real exports have are mended, each with its line and column',
  async (t) => {
    const faulty = wxr(
      '<wp:comment><wp:comment_id>1</wp:comment_id><wp:comment_date>2012-03-04 05:06:07</wp:comment_date>\n' +
        '<wp:comment_content>AT&T \u0007bell ]]> &nbsp;end</wp:comment_content><odd:tag/></wp:comment>',
    )
    const read = await readAll(`\n${faulty}`)
    t.equal(commentsOf(read)[0]?.body, 'AT\\&T bell \\]\\]> end'.replace(' end', ' \u00a0end'))
    t.same(summaryOf(read).repairs, [
      '2:6 text or white space precedes the XML declaration',
      '6:23 a bare & was read as text',
      '6:26 a character that XML forbids was left out',
      '6:34 the marks ]]> stand in a text',
      '6:41 an unknown entity was kept as text',
      '6:75 the prefix odd is not declared',
    ])
  },
)

t.test('WXR: a file that is cut off is refused with line and column', async (t) => {
  const content = wxr(commentXml({}))
  for (const part of [0.3, 0.5, 0.7, 0.9, 0.99]) {
    const cut = content.slice(0, Math.floor(content.length * part))
    const error = await readAll(cut).then(
      () => undefined,
      (fault: unknown) => fault,
    )
    t.match(error, { name: 'UnreadableFile', line: Number, column: Number }, `cut at ${part}`)
  }
})

const REAL: Readonly<Record<string, Parameters<typeof expectFile>[2]>> = {
  'isso-wordpress.xml': {
    comments: 8,
    threads: 2,
    depth: 2,
    statuses: { approved: 8 },
    origin: 'wordpress:',
  },
  'jekyll-import-sitetitle-0-comments.xml': { origin: 'wordpress:http://wordpress.com' },
  'theme-preview.xml': {
    comments: 2,
    threads: 2,
    statuses: { approved: 2 },
    origin: 'wordpress:https://wp-themes.com',
  },
  'themeunittestdata.wordpress.2024.xml': {
    comments: 29,
    threads: 7,
    depth: 9,
    statuses: { approved: 26, pending: 3 },
    skips: { trackback: 2, pingback: 2 },
    origin: 'wordpress:https://wordpress.com',
  },
  'wordpress-importer/a11y-unit-test-data.xml': {
    comments: 24,
    threads: 5,
    depth: 9,
    statuses: { approved: 24 },
    skips: { pingback: 4, bad_date: 1 },
    origin: 'wordpress:http://wordpress.com',
  },
  'wordpress-importer/crazy-cdata.xml': {
    origin: 'wordpress:http://wp.dev',
    repairs: [18, 38, 42].map(
      (line, index) => `${line}:${[72, 33, 102][index]} the marks ]]> stand in a text`,
    ),
  },
  'wordpress-importer/wxr-with-sub-data.xml': { origin: 'wordpress:', skips: { bad_date: 1 } },
}
const ONE_COMMENT: Readonly<Record<string, string>> = {
  'slashes.xml': 'http://localhost',
  'small-export.xml': 'http://localhost',
  'test-serialized-comment-meta.xml': 'http://test.wordpress.org',
  'valid-wxr-1.0.xml': 'http://localhost',
  'valid-wxr-1.1.xml': 'http://localhost',
  'wxr-comprehensive.xml': 'https://playground.internal/site',
}
const NO_COMMENT: Readonly<Record<string, string>> = {
  'authors-multiline.xml': '',
  'backslashes.xml': '',
  'blank-lines.xml': '',
  'cdata-edge.xml': '',
  'chunked-meta.xml': '',
  'crazy-cdata-escaped.xml': 'http://wp.dev',
  'invalid-version-tag.xml': 'http://localhost',
  'large-authors.xml': '',
  'missing-tags.xml': '',
  'missing-version-tag.xml': 'http://localhost',
  'multiple-cdata.xml': '',
  'namespace-edge-cases.xml': '',
  'post-content-blank-lines.xml': 'http://localhost',
  'term-formats.xml': 'http://localhost',
  'term-meta.xml': '',
  'test-serialized-postmeta-no-cdata.xml': 'http://test.wordpress.org',
  'test-serialized-postmeta-with-cdata.xml': 'http://test.wordpress.org',
  'test-serialized-term-meta.xml': 'http://test.wordpress.org',
  'test-utw-post-meta-import.xml': 'http://test.wordpress.org',
  'wxr-base-url-rewriting.xml': 'https://🚀-science.com/science',
  'wxr-css-urls.xml': 'https://playground.internal',
  'wxr-flat-attachment-different-site.xml': 'https://wp.org',
  'wxr-flat-attachment-same-site.xml': 'https://wpthemetestdata.files.wordpress.com',
  'wxr-simple.xml': 'https://playground.internal/path',
  'wxr-utf-8-challenges.xml': 'https://playground.internal/path',
}

for (const [path, expected] of Object.entries(REAL))
  t.test(`WXR: ${path} has the comments that are written down`, async (t) => {
    await expectFile(t, `wxr/${path}`, { format: 'wxr', ...expected })
  })
for (const [path, site] of Object.entries(ONE_COMMENT))
  t.test(`WXR: ${path} has one approved comment`, async (t) => {
    const expected = {
      comments: 1,
      threads: 1,
      statuses: { approved: 1 },
      origin: `wordpress:${site}`,
    }
    await expectFile(t, `wxr/wordpress-importer/${path}`, { format: 'wxr', ...expected })
  })
for (const [path, site] of Object.entries(NO_COMMENT))
  t.test(`WXR: ${path} has no comment`, async (t) => {
    await expectFile(t, `wxr/wordpress-importer/${path}`, {
      format: 'wxr',
      origin: `wordpress:${site}`,
    })
  })

t.test('WXR: isso-wordpress.xml has one id twice', async (t) => {
  const content = realFile(t, 'wxr/isso-wordpress.xml')
  if (!content) return
  const ids = commentsOf(await readAll(content)).map(({ id }) => id)
  t.same(
    ids.filter((id, index) => ids.indexOf(id) !== index),
    ['11'],
  )
})

t.test('WXR: two malformed files are refused with the line of their fault', async (t) => {
  const faults = { 'malformed-simple.xml': { line: 14 }, 'malformed.xml': { line: 90 } }
  for (const [path, fault] of Object.entries(faults)) {
    const content = realFile(t, `wxr/wordpress-importer/${path}`)
    if (content) await t.rejects(readAll(content), { name: 'UnreadableFile', ...fault })
  }
})
