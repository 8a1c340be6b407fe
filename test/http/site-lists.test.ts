import { sql } from 'kysely'
import t from 'tap'
import { insertSite } from '../../src/postgres/service/sites.ts'
import { openService, suggest, type TestService } from '../service.ts'

const bodies = (answer: any): string => answer.body.items.map(({ body }: any) => body).join(' ')
const articles = (answer: any): string =>
  answer.body.items.map(({ article_id }: any) => article_id).join(' ')

const patch = ({ call, adminKey }: TestService, path: string, body: object) =>
  call('PATCH', `/v1/sites/default${path}`, { token: adminKey, body })
const holdEverything = (service: TestService) => patch(service, '', { moderation: 'pre' })
const hide = (service: TestService, article: string) =>
  patch(service, `/articles/${article}`, { state: 'hidden' })

const nextLink = (link: string): string => /^<([^>]+)>; rel="next"$/.exec(link)![1]!

const REFUSED = { status: 400, body: { code: 'invalid_request' } }

/** Posts these in turn: `article:body`. */
const postAll = async (service: TestService, ...posts: string[]) => {
  const comments: any[] = []
  for (const [article, body] of posts.map((post) => post.split(':'))) {
    comments.push(await service.post(article!, body!))
  }
  return comments
}

t.test('listRecent: latest published first, across the site, replies among roots', async (t) => {
  const service = await openService(t)
  const [first] = await postAll(service, 'a:1', 'b:2')
  await service.post('a', '3', { parent_id: first.id })
  t.equal(bodies(await service.get('/comments')), '3 2 1')
})

t.test('listRecent: a late approval comes first', async (t) => {
  const service = await openService(t)
  await holdEverything(service)
  const [early, late] = await postAll(service, 'a:early', 'a:late')
  await service.decide(late.id, 'pending', 'approved')
  await service.decide(early.id, 'pending', 'approved')
  const { items } = (await service.get('/comments')).body
  t.same(
    items.map(({ body }: any) => body),
    ['early', 'late'],
  )
  t.ok(items[0].created_at <= items[1].created_at)
  t.ok(items[0].published_at > items[1].published_at)
})

t.test('listRecent omits held and hidden comments, and hidden threads', async (t) => {
  const service = await openService(t)
  const [gone] = await postAll(service, 'a:gone', 'a:here', 'secret:x')
  await service.decide(gone.id, 'approved', 'spam')
  await hide(service, 'secret')
  await holdEverything(service)
  await service.post('a', 'held')
  t.equal(bodies(await service.get('/comments')), 'here')
})

t.test('listRecent omits tombstones', async (t) => {
  const service = await openService(t)
  const root = await service.post('a', 'root')
  await service.post('a', 'reply', { parent_id: root.id })
  await service.decide(root.id, 'approved', 'rejected')
  t.equal(bodies(await service.get('/comments')), 'reply')
})

t.test('listRecent: article_id may be repeated', async (t) => {
  const service = await openService(t)
  await postAll(service, 'a:1', 'b:2', 'c/d:3')
  t.equal(bodies(await service.get('/comments?article_id=a')), '1')
  t.equal(bodies(await service.get('/comments?article_id=c%2Fd&article_id=a')), '3 1')
  t.equal(bodies(await service.get('/comments?article_id=a&article_id=a')), '1')
  t.equal(bodies(await service.get('/comments?article_id=absent')), '')
  const ids = Array.from({ length: 101 }, (_, at) => `article_id=${at}`)
  t.match(await service.get(`/comments?${ids.join('&')}`), REFUSED)
  t.match(await service.get('/comments?article_id='), REFUSED)
})

t.test('listRecent: author_id, parent, and both', async (t) => {
  const service = await openService(t)
  const root = await service.post('a', 'root')
  const reply = await service.post('a', 'reply', { parent_id: root.id })
  const token = reply.guest_token
  await service.post('b', 'second', {}, { token })
  const author = `author_id=${reply.author.id}`
  t.equal(bodies(await service.get(`/comments?${author}`)), 'second reply')
  t.equal(bodies(await service.get('/comments?parent=root')), 'second root')
  t.equal(bodies(await service.get('/comments?parent=reply')), 'reply')
  t.equal(bodies(await service.get('/comments?parent=any')), 'second reply root')
  t.equal(bodies(await service.get(`/comments?${author}&parent=root&article_id=b`)), 'second')
  t.equal(bodies(await service.get(`/comments?${author}&parent=reply&article_id=b`)), '')
})

t.test('listRecent is empty for an unknown author', async (t) => {
  const service = await openService(t)
  await service.post('a', 'x')
  for (const id of ['azzzz', 'nonsense', 'a0', '']) {
    const answer = await service.get(`/comments?author_id=${id}`)
    t.same([answer.status, answer.body.items], [200, []], id)
  }
})

t.test('listRecent: excerpt is plain text, cut at a word', async (t) => {
  const service = await openService(t)
  await service.post('a', 'One **two** <b>three</b>\n\n> four &amp; five')
  const excerpt = async (length: number) =>
    (await service.get(`/comments?excerpt=${length}`)).body.items[0].excerpt
  t.equal(await excerpt(100), 'One two <b>three</b> four & five')
  t.equal(await excerpt(10), 'One two…')
  t.equal(await excerpt(7), 'One two…')
  t.equal(await excerpt(2), 'On…')
  t.notOk('excerpt' in (await service.get('/comments')).body.items[0])
  t.match(await service.get('/comments?excerpt=0'), REFUSED)
})

t.test('listRecent: each item says which article it is about', async (t) => {
  const service = await openService(t)
  const article = { title: 'On Æ', url: 'https://example.org/a' }
  await service.post('a/1', 'x', { article }, { token: service.adminKey })
  await service.post('b', 'y')
  const { items } = (await service.get('/comments')).body
  t.same(items[1].article, { id: 'a/1', ...article })
  t.same(items[0].article, { id: 'b', title: null, url: null })
})

t.test(
  'listRecent: pages by cursor and by Link, bound to the filters but not to the limit',
  async (t) => {
    const service = await openService(t)
    await postAll(service, 'a:1', 'b:2', 'a:3', 'a:4')
    const first = await service.get('/comments?limit=2&article_id=a&excerpt=9')
    t.equal(bodies(first), '4 3')
    const second = await service.call('GET', nextLink(first.headers.link))
    t.equal(bodies(second), '1')
    t.equal(second.body.next_cursor, null)
    t.equal(second.headers.link, undefined)
    const cursor = first.body.next_cursor
    t.equal(bodies(await service.get(`/comments?limit=1&article_id=a&cursor=${cursor}`)), '1')
    for (const query of [
      '',
      'article_id=b&',
      'article_id=a&parent=root&',
      'article_id=a&author_id=a1&',
    ]) {
      const answer = await service.get(`/comments?${query}cursor=${cursor}`)
      t.match(answer, { status: 400, body: { code: 'invalid_cursor' } }, query)
    }
  },
)

t.test('listRecent orders equal times by id, and no page loses a comment', async (t) => {
  const service = await openService(t)
  await postAll(service, 'a:1', 'b:2', 'a:3', 'b:4')
  await sql`update comments set published_at = '2026-01-01'`.execute(service.db)
  let answer = await service.get('/comments?limit=1')
  const walked = [bodies(answer)]
  while (answer.headers.link) {
    answer = await service.call('GET', nextLink(answer.headers.link))
    walked.push(bodies(answer))
  }
  t.equal(walked.join(' '), '4 3 2 1')
})

t.test('the lists of a site show nothing of another site', async (t) => {
  const service = await openService(t)
  const { author } = await service.post('a', 'x')
  await insertSite(service.db, { slug: 'other', name: 'Other' })
  const get = (path: string) => service.call('GET', `/v1/sites/other${path}`)
  for (const path of ['/comments', '/articles', `/comments?author_id=${author.id}`]) {
    t.same((await get(path)).body, { items: [], next_cursor: null }, path)
  }
  t.match((await get('/counts?article_id=a')).body, { a: { comment_count: 0 } })
  t.equal((await get(`/authors/${author.id}/comments`)).status, 404)
})

const ZEROS = { comment_count: 0, root_count: 0, last_comment_at: null }

t.test('countComments: per article, zeros included, each once', async (t) => {
  const service = await openService(t)
  const root = await service.post('a', 'x')
  const reply = await service.post('a', 'y', { parent_id: root.id })
  const { status, body } = await service.get('/counts?article_id=a&article_id=no%2Fne&article_id=a')
  t.equal(status, 200)
  const a = { comment_count: 2, root_count: 1, last_comment_at: reply.created_at }
  t.same(body, { a, 'no/ne': ZEROS })
})

t.test(
  'countComments gives 0 for threads that are hidden or have held comments only',
  async (t) => {
    const service = await openService(t)
    await service.post('hidden', 'x')
    await hide(service, 'hidden')
    await holdEverything(service)
    await service.post('held', 'x')
    const { body } = await service.get('/counts?article_id=held&article_id=hidden')
    t.same(body, { held: ZEROS, hidden: ZEROS })
  },
)

t.test('countComments: an article may be called __proto__', async (t) => {
  const service = await openService(t)
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']
  await service.post('__proto__', 'x')
  const query = names.map((name) => `article_id=${name}`).join('&')
  const { text } = await service.get(`/counts?${query}`)
  const counts = new Map<string, any>(Object.entries(JSON.parse(text)))
  t.same([...counts.keys()], names)
  t.match(counts.get('__proto__'), { comment_count: 1 })
  t.same(counts.get('constructor'), ZEROS)
  const path = '/v1/sites/default/counts'
  t.equal((await service.call('POST', path, { body: { article_ids: names } })).text, text)
})

t.test('countComments: GET takes 1 to 250 articles', async (t) => {
  const { get } = await openService(t)
  const query = (count: number) =>
    Array.from({ length: count }, (_, at) => `article_id=${at}`).join('&')
  t.equal(Object.keys((await get(`/counts?${query(250)}`)).body).length, 250)
  for (const wrong of [query(251), '', 'article_ids=a', 'article_id=a%00'])
    t.match(await get(`/counts?${wrong}`), REFUSED)
})

t.test(
  'countComments: one id that no article can have gets zeros, and spoils no other',
  async (t) => {
    const service = await openService(t)
    const longest = 'x'.repeat(2_048)
    for (const article of ['a', longest]) await service.post(article, 'x')
    const one = { comment_count: 1, root_count: 1 }
    const ids = ['a', '', `${longest}x`, 'x'.repeat(5_000), longest]
    const query = ids.map((id) => `article_id=${id}`).join('&')
    const path = '/v1/sites/default/counts'
    for (const { body } of [
      await service.get(`/counts?${query}`),
      await service.call('POST', path, { body: { article_ids: ids } }),
    ]) {
      t.same(Object.keys(body), ids)
      for (const id of ids.slice(1, 4)) t.same(body[id], ZEROS)
      t.match([body.a, body[longest]], [one, one])
    }
    const long = { article_ids: ['y'.repeat(1_000_000), 'a'] }
    t.match((await service.call('POST', path, { body: long })).body.a, one)
  },
)

t.test('countComments: POST takes up to 1,000 articles of 512 characters', async (t) => {
  const service = await openService(t)
  await service.post('0'.padStart(512, '0'), 'x')
  const ids = (count: number) =>
    Array.from({ length: count }, (_, at) => String(at).padStart(512, '0'))
  const post = (article_ids: unknown) =>
    service.call('POST', '/v1/sites/default/counts', { body: { article_ids } })
  const { status, body } = await post(ids(1000))
  t.equal(status, 200)
  t.equal(Object.keys(body).length, 1000)
  t.equal(body[ids(1)[0]!].comment_count, 1)
  t.same((await post([])).body, {})
  for (const wrong of [ids(1001), 'a', [1], null]) {
    t.match(await post(wrong), REFUSED)
  }
})

t.test('countComments: POST folds duplicates, and takes 1 MiB', async (t) => {
  const { call } = await openService(t)
  const path = '/v1/sites/default/counts'
  const post = (body: unknown, headers = {}) => call('POST', path, { body, headers })
  t.same((await post({ article_ids: ['a', 'b', 'a'] })).body, { a: ZEROS, b: ZEROS })
  const headers = { 'content-type': 'application/json' }
  const padded = (bytes: number) => `{"article_ids":["a"]${' '.repeat(bytes - 21)}}`
  t.equal((await post(padded(1_048_576), headers)).status, 200)
  const tooLarge = await post(padded(1_048_577), headers)
  t.match(tooLarge, { status: 413, body: { code: 'body_too_large' } })
})

t.test('listArticles sorts by newest comment, by count and by age', async (t) => {
  const service = await openService(t)
  await postAll(service, 'a:1', 'b:2', 'c:3', 'b:4', 'a:5', 'a:6')
  t.equal(articles(await service.get('/articles')), 'a b c')
  t.equal(articles(await service.get('/articles?sort=active')), 'a b c')
  t.equal(articles(await service.get('/articles?sort=newest')), 'c b a')
  await service.post('c', '7')
  t.equal(articles(await service.get('/articles?sort=active')), 'c a b')
  t.equal(articles(await service.get('/articles?sort=most')), 'a c b')
  t.match(await service.get('/articles?sort=top'), REFUSED)
})

t.test('listArticles returns each thread as getThread does', async (t) => {
  const service = await openService(t)
  await service.post('a', 'x', { article: { title: 'A' } }, { token: service.adminKey })
  const { items } = (await service.get('/articles')).body
  t.same(items, [(await service.get('/articles/a')).body])
})

t.test('listArticles shows only articles with visible comments', async (t) => {
  const service = await openService(t)
  const [, gone] = await postAll(service, 'here:1', 'gone:2', 'hidden:3')
  await service.decide(gone.id, 'approved', 'rejected')
  await hide(service, 'hidden')
  await patch(service, '/articles/empty', { title: 'Empty' })
  await holdEverything(service)
  await service.post('held', '4')
  for (const sort of ['active', 'most', 'newest']) {
    t.equal(articles(await service.get(`/articles?sort=${sort}`)), 'here', sort)
  }
})

t.test('listArticles: every sort pages to the end, equal ranks by id', async (t) => {
  const service = await openService(t)
  await postAll(service, 'a:1', 'b:2', 'c:3', 'd:4')
  await sql`update threads set last_comment_at = '2026-01-01'`.execute(service.db)
  for (const sort of ['active', 'most', 'newest']) {
    let answer = await service.get(`/articles?sort=${sort}&limit=1`)
    const walked = [articles(answer)]
    while (answer.headers.link) {
      answer = await service.call('GET', nextLink(answer.headers.link))
      walked.push(articles(answer))
    }
    t.equal(walked.join(' '), 'd c b a', sort)
  }
})

t.test('listArticles: a cursor is bound to its sort', async (t) => {
  const service = await openService(t)
  await postAll(service, 'a:1', 'b:2')
  const { next_cursor } = (await service.get('/articles?sort=most&limit=1')).body
  const { status, body } = await service.get(`/articles?cursor=${next_cursor}`)
  t.same([status, body.code], [400, 'invalid_cursor'])
})

t.test('listAuthorComments shows the published comments of an author, latest first', async (t) => {
  const service = await openService(t)
  const first = await service.post('a', '1')
  const token = first.guest_token
  await service.post('b', '2', ...suggest('B', { token }))
  const gone = await service.post('b', '3', {}, { token })
  await service.decide(gone.id, 'approved', 'rejected')
  await service.post('a', 'of another')
  const answer = await service.get(`/authors/${first.author.id}/comments`)
  t.equal(bodies(answer), '2 1')
  t.same(answer.body.author, first.author)
  t.same(answer.body.items[0].article, {
    id: 'b',
    title: 'B',
    url: 'https://a.example/page',
  })
})

t.test('listAuthorComments: pages, with cursors that are bound to the author', async (t) => {
  const service = await openService(t)
  const { author, guest_token: token } = await service.post('a', '1')
  await service.post('a', '2', {}, { token })
  await service.post('a', '3', {}, { token })
  const stranger = await service.post('a', 'x')
  const first = await service.get(`/authors/${author.id}/comments?limit=2`)
  t.equal(bodies(first), '3 2')
  t.equal(bodies(await service.call('GET', nextLink(first.headers.link))), '1')
  const cursor = first.body.next_cursor
  const { status, body } = await service.get(
    `/authors/${stranger.author.id}/comments?cursor=${cursor}`,
  )
  t.same([status, body.code], [400, 'invalid_cursor'])
})

t.test('listAuthorComments gives 404 for an author without published comments', async (t) => {
  const service = await openService(t)
  const rejected = await service.post('a', 'x')
  const unseen = await service.post('hidden', 'x')
  await service.decide(rejected.id, 'approved', 'rejected')
  await hide(service, 'hidden')
  await holdEverything(service)
  const held = await service.post('a', 'x')
  const ids = [rejected, unseen, held].map(({ author }) => author.id)
  const nobody = await service.get('/authors/azzzz/comments')
  t.match(nobody, { status: 404, body: { code: 'not_found' } })
  for (const id of [...ids, 'nonsense', 'a0']) {
    t.equal((await service.get(`/authors/${id}/comments`)).text, nobody.text, id)
  }
})

t.test('no public list holds an e-mail, a network or a trace', async (t) => {
  const service = await openService(t)
  const author = { name: 'Eve', email: 'eve@example.org' }
  const comment = await service.post('a', 'x', { author })
  const paths = ['/comments', '/articles/a/comments', `/comments/${comment.id}`, '/articles']
  for (const path of [...paths, `/authors/${comment.author.id}/comments`]) {
    t.notMatch(
      (await service.get(path)).text,
      /eve@example|email|network|127\.0|trace|address/,
      path,
    )
  }
})

t.test('lists have entity tags that give 304 until something changes', async (t) => {
  const service = await openService(t)
  const { author } = await service.post('a', 'x')
  const paths = ['/comments', '/articles', '/counts?article_id=a', `/authors/${author.id}/comments`]
  for (const path of [...paths, '/config']) {
    const { headers } = await service.get(path)
    t.match(headers, { etag: /^"/, 'cache-control': 'public, max-age=0, must-revalidate' }, path)
    const again = await service.get(path, { headers: { 'if-none-match': headers.etag } })
    t.same([again.status, again.text], [304, ''], path)
  }
  const { etag } = (await service.get('/comments')).headers
  await service.post('a', 'y')
  t.equal((await service.get('/comments', { headers: { 'if-none-match': etag } })).status, 200)
})

t.test('getSiteConfig returns the settings that a widget needs', async (t) => {
  const service = await openService(t)
  const { status, body } = await service.get('/config')
  t.equal(status, 200)
  const { version, ...settings } = body
  t.same(settings, {
    site: 'default',
    name: 'Default',
    state: 'open',
    who_may_read: 'anyone',
    voting: 'all',
    email_required: false,
    min_body_length: 1,
    language: null,
    moderation: 'post',
    who_may_post: 'anyone',
    login_url: null,
    edit_window_seconds: 300,
    close_after_days: 0,
    slow_mode_seconds: 0,
    max_depth: 100,
    max_body_length: 10_000,
    max_name_length: 80,
    limits: { create: 0, vote: 0, flag: 0, preview: 0, sign_on: 0, export: 0 },
    flag_reasons: ['spam', 'offensive', 'abusive', 'off_topic', 'illegal', 'other'],
    sorts: ['newest', 'oldest', 'top', 'best', 'hot', 'controversial', 'active'],
    default_sort: 'newest',
  })
  await patch(service, '', { name: 'Mine', who_may_post: 'members', max_depth: 3 })
  const changed = (await service.get('/config')).body
  t.match(changed, { name: 'Mine', who_may_post: 'members', max_depth: 3 })
  t.match(changed.version, /^[\w-]{12}$/)
  t.not(changed.version, version)
})

t.test('previewComment renders as postComment does and stores nothing', async (t) => {
  const service = await openService(t)
  const body = '**hi** <script>alert(1)</script> https://example.org\n\n- x'
  const answer = await service.call('POST', '/v1/sites/default/preview', { body: { body } })
  t.equal(answer.status, 200)
  t.equal(answer.headers['cache-control'], 'private, no-store')
  t.same((await service.get('/comments')).body.items, [])
  const posted = await service.post('a', body)
  t.same(answer.body, { body_html: posted.body_html })
})

t.test('previewComment refuses texts that postComment refuses', async (t) => {
  const { call } = await openService(t)
  const wrong = [{ body: '' }, { body: ' \n ' }, { body: 'x'.repeat(10_001) }, {}, { body: 1 }]
  for (const body of [...wrong, { body: 'x', more: 1 }, { body: '\u0000' }]) {
    t.match(await call('POST', '/v1/sites/default/preview', { body }), REFUSED)
  }
})
