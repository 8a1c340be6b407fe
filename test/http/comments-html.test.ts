import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { Parser } from 'htmlparser2'
import t from 'tap'
import { NAUGHTY_STRINGS, XSS_PAYLOADS } from '../fixtures/hostile.ts'
import { runs } from '../lengths.ts'
import { openSignOn, signToken } from '../members.ts'
import { openService, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'
const PATH = '/articles/a/comments.html'

type Json = Record<string, any>
type Element = { readonly name: string; readonly attributes: Record<string, string> }

/** The elements of HTML in their order, the texts of the scripts, and every other text. */
const parse = (html: string) => {
  const elements: Element[] = []
  const scripts: string[] = []
  const open: string[] = []
  let text = ''
  const parser = new Parser({
    onopentag: (name, attributes) => {
      elements.push({ name, attributes: { ...attributes } })
      open.push(name)
      if (name === 'script') scripts.push('')
    },
    ontext: (part) => {
      if (open.at(-1) === 'script') scripts[scripts.length - 1] += part
      else text += part
    },
    onclosetag: () => open.pop(),
  })
  parser.end(html)
  const all = (name: string) => elements.filter((element) => element.name === name)
  const ids = all('article').map(({ attributes }) => attributes.id!)
  const links = all('a').map(({ attributes }) => attributes.href!)
  return { elements, scripts, text, all, ids, links }
}

const change = (service: TestService, path: string, body: object) =>
  service.call('PATCH', `${SITE}${path}`, { token: service.adminKey, body })

const ALLOWED =
  'section h2 h3 ol li article a time div p small bdi form label input textarea button script ' +
  'em strong del code pre blockquote ul br img small'

t.test('comments as HTML have the text, the order and the depth of the JSON', async (t) => {
  const service = await openService(t)
  const root = await service.post('a', 'a *root*')
  await service.post('a', 'a reply', { parent_id: root.id })
  await service.post('a', 'newer')
  const { status, headers, text } = await service.get(PATH)
  t.equal(status, 200)
  t.equal(headers['content-type'], 'text/html; charset=utf-8')
  const { ids, text: shown, all } = parse(text)
  const { items } = (await service.get('/articles/a/comments')).body
  const listed = (branches: Json[]): string[] =>
    branches.flatMap(({ id, replies }) => [id, ...listed(replies.items)])
  t.same(ids, listed(items))
  t.match(shown, /3 Comments.*newer.*a root.*a reply/s)
  t.equal(all('ol').length, 2, 'replies are a list in the list')
  t.notMatch(text, /<!doctype|<style|style=/i)
})

t.test('no name, address, article or text becomes HTML or ends a script', async (t) => {
  const service = await openService(t)
  const hostile = `"'><img src=x onerror=alert(1)></script><script>alert(2)</script>&lt;`
  const article = `a/${hostile}`
  const url = 'https://a.example/"onmouseover="x'
  const more = { author: { name: hostile, url }, article: { title: hostile, url } }
  const options = { headers: { origin: 'https://a.example' } }
  await service.post(article, hostile, more, options)
  for (const query of ['', '?page=1', '?bare=1', '?sort=top']) {
    const path = `/articles/${encodeURIComponent(article)}/comments.html${query}`
    const { status, text } = await service.get(path, { headers: { host: `x"onload="y` } })
    if (status === 400) continue
    const { elements, scripts } = parse(text)
    const ofPage = query === '?page=1' ? ' html head meta title link style body main' : ''
    const names = new Set(elements.map(({ name }) => name))
    t.same(
      [...names].filter((name) => !`${ALLOWED}${ofPage}`.split(' ').includes(name)),
      [],
    )
    for (const { attributes } of elements)
      t.same(
        Object.keys(attributes).filter((name) => name.startsWith('on')),
        [],
      )
    for (const script of scripts) t.type(JSON.parse(script), 'object')
  }
})

t.test('the state is the first view, so that the widget needs no request', async (t) => {
  const service = await openService(t)
  await openSignOn(service)
  await change(service, '/members/grace', {
    name: 'Grace',
    roles: ['moderator'],
    listed: true,
    location: 'Ghent',
  })
  const token = await signToken({ sub: 'grace', name: 'Grace' })
  await service.post('a', 'by staff', {}, { token })
  const { text } = await service.get(PATH)
  const { elements, scripts } = parse(text)
  const marked = elements.filter(({ attributes }) => 'data-afterword-state' in attributes)
  t.equal(marked.length, 1)
  const { at, sort, ...state } = JSON.parse(scripts.at(-1)!)
  t.same(state, (await service.get('/articles/a/comments?include=config,staff')).body)
  t.equal(sort, 'newest')
  t.ok(Date.parse(at) <= Date.now() && Date.parse(at) > Date.now() - 120_000)
  t.match(text, /<small class="afterword-badge">Moderator, Ghent<\/small>/)
})

t.test('links lead to every comment of a thread, once', async (t) => {
  const service = await openService(t)
  const wanted: string[] = []
  for (let n = 0; n < 5; n++) {
    const { id } = await service.post('a', `root ${n}`)
    wanted.push(id)
    for (let m = 0; m < n; m++)
      wanted.push((await service.post('a', `reply ${n} ${m}`, { parent_id: id })).id)
  }
  const seen: string[] = []
  const next = [`${SITE}${PATH}?limit=2&replies=1`]
  for (let path = next.pop(); path !== undefined; path = next.pop()) {
    const { ids, links } = parse((await service.call('GET', path)).text)
    seen.push(...ids)
    for (const link of links.filter((one) => one.includes('cursor=')))
      next.push(link.replace(/^https?:\/\/[^/]+/, ''))
  }
  t.same(seen.toSorted(), wanted.toSorted())
})

t.test('linked data names the comments of an article whose address is known', async (t) => {
  const service = await openService(t)
  const article = { title: 'A', url: 'https://blog.example/post' }
  const root = await service.post('a', 'gone', { article }, { token: service.adminKey })
  const reply = await service.post('a', 'a **reply**', { parent_id: root.id })
  await service.decide(root.id, 'approved', 'rejected')
  const { text } = await service.get(PATH)
  t.match(text, 'This comment was removed.')
  const comment = [
    {
      '@type': 'Comment',
      url: `${article.url}#${reply.id}`,
      author: { '@type': 'Person', name: 'Ada' },
      datePublished: reply.created_at,
      text: 'a reply',
      upvoteCount: 0,
    },
  ]
  const linked = { '@type': 'WebPage', '@id': article.url, commentCount: 1, comment }
  t.match(JSON.parse(parse(text).scripts[0]!), linked)
  await service.post('b', 'x')
  t.equal(parse((await service.get('/articles/b/comments.html')).text).scripts.length, 1)
  const named = {
    article_author: 'Grace',
    article_date: '2026-11-28',
    article_text: 'It </begins>',
  }
  const said = await service.get(`${PATH}?${new URLSearchParams(named)}`)
  t.match(JSON.parse(parse(said.text).scripts[0]!), {
    ...linked,
    '@type': 'DiscussionForumPosting',
    headline: 'A',
    author: { '@type': 'Person', name: 'Grace' },
    datePublished: '2026-11-28',
    text: 'It </begins>',
    interactionStatistic: { userInteractionCount: 1 },
  })
  for (const query of [{ article_author: 'Grace' }, { ...named, page: '1' }])
    t.equal((await service.get(`${PATH}?${new URLSearchParams(query)}`)).status, 400)
})

t.test('the form says why nobody can post, and how to log in', async (t) => {
  const service = await openService(t)
  await service.post('a', 'x')
  const shown = async (says: string, forms = 0) => {
    const { text } = await service.get(PATH)
    t.match(text, says)
    t.equal(parse(text).all('form').length, forms, says)
  }
  await shown('<button>Post</button>', 1)
  await change(service, '', { who_may_post: 'members', login_url: 'https://blog.example/login' })
  await shown('<a href="https://blog.example/login">Log in</a>')
  await change(service, '/articles/a', { state: 'closed' })
  await shown('Comments are closed.')
  await change(service, '/articles/a', { state: 'locked' })
  await shown('This thread is locked.')
  await change(service, '', { who_may_post: 'nobody' })
  await shown('Comments are switched off.')
})

t.test('HTML is cached like any page, and has nothing of its reader', async (t) => {
  const service = await openService(t)
  const { guest_token: token } = await service.post('a', 'first')
  const read = (headers: Record<string, string> = {}) => service.get(PATH, { headers })
  const first = await read()
  const { misses } = service.pages.stats()
  const others = [{}, { origin: 'https://a.example' }, { 'x-forwarded-for': '203.0.113.7' }]
  for (const headers of others) {
    const again = await read(headers)
    t.equal(again.text, first.text)
    t.equal(again.headers.etag, first.headers.etag)
    t.match(again.headers, { 'cache-control': 'public, max-age=0, must-revalidate' })
  }
  t.equal(service.pages.stats().misses, misses, 'no page was built')
  t.equal((await read({ 'if-none-match': String(first.headers.etag) })).status, 304)
  await service.post('a', 'second')
  const changed = await read({ 'if-none-match': String(first.headers.etag) })
  t.equal(changed.status, 200)
  t.match(changed.text, 'second')
  await change(service, '', { max_body_length: 77 })
  t.not((await read()).headers.etag, changed.headers.etag)
  const own = await service.get(PATH, { token })
  t.match(own.headers, { 'cache-control': 'private, no-store', etag: undefined })
})

t.test('a whole page has a policy of its own, and names the article as its original', async (t) => {
  const service = await openService(t)
  const article = { title: 'A & B', url: 'https://blog.example/post' }
  await service.post('a', 'x', { article }, { token: service.adminKey })
  await change(service, '', { origins: ['https://blog.example'] })
  const { headers, text } = await service.get(`${PATH}?page=1`)
  t.match(text, '<title>1 Comment on “A &amp; B”</title>')
  t.match(text, '<link rel="canonical" href="https://blog.example/post">')
  t.match(headers, { 'referrer-policy': 'same-origin' })
  t.match(headers['content-security-policy'], "form-action 'self' https://blog.example;")
  t.notMatch((await service.get(`${PATH}?bare=1`)).text, /class=/)
})

t.test('replies of another article and malformed ids are not found', async (t) => {
  const service = await openService(t)
  const { id } = await service.post('b', 'x')
  await service.post('a', 'y')
  for (const query of [`parent=${id}`, 'parent=x', 'focus=x', 'reply=x'])
    t.equal((await service.get(`${PATH}?${query}`)).status, 404, query)
  t.equal((await service.get(`${PATH}?page=2`)).status, 400)
})

t.test('an error is HTML too, with a sentence for readers and a code for programs', async (t) => {
  const service = await openService(t, { limits: { read: 8, write: 0 } })
  const refused = async (path: string, code: string, sentence: string) => {
    const { headers, text } = await service.call('GET', path)
    t.match(headers, { 'content-type': 'text/html; charset=utf-8', 'cache-control': /no-store/ })
    t.match(text, `<p role="alert" data-afterword-code="${code}">${sentence}</p>`)
    return text
  }
  const path = `${SITE}${PATH}`
  const gone = 'That comment is no longer here.'
  const whole = await refused(`${path}?page=1&focus=x`, 'not_found', gone)
  t.match(whole, /^<!doctype html>.*comments\.html\?page=1">Back to the article</s)
  t.notMatch(
    await refused(
      `${path}?cursor=x`,
      'invalid_cursor',
      'This list has changed. It starts again from the top.',
    ),
    '<main',
  )
  await refused('/v1/sites/absent/articles/a/comments.html', 'not_found', 'That is no longer here.')
  await refused(`${path}?limit=0`, 'invalid_request', 'Something in this form cannot be used.')
  for (let n = 0; n < 8; n++) await service.call('GET', path)
  await refused(path, 'rate_limited', 'That was a lot at once. Please wait a moment.')
})

const MESSAGES = join(import.meta.dirname, '../../web/embed/messages')
const LANGUAGES = globSync('*.json', { cwd: MESSAGES }).map((name) => name.slice(0, -5))

t.test('the page speaks the sixteen languages of the widget, with its sentences', async (t) => {
  const service = await openService(t)
  const { id } = await service.post('a', '4711', { author: { name: '4712' } })
  await service.post('a', '4713', { parent_id: id, author: { name: '4714' } })
  t.equal(LANGUAGES.length, 16)
  for (const lang of LANGUAGES) {
    const say = JSON.parse(readFileSync(join(MESSAGES, `${lang}.json`), 'utf8'))
    const { text, status } = await service.get(`${PATH}?lang=${lang}&page=1`)
    t.equal(status, 200)
    const { all, text: shown } = parse(text)
    const { lang: of, dir } = all('html')[0]!.attributes
    t.same({ of, dir }, { of: lang, dir: ['ar', 'he'].includes(lang) ? 'rtl' : 'ltr' })
    for (const key of ['reply', 'name', 'body', 'post', 'trap']) t.ok(shown.includes(say[key]), key)
    const links = all('a').map(({ attributes }) => attributes.href!)
    for (const link of links.filter((one) => one.includes('reply='))) t.match(link, `&lang=${lang}`)
    t.match(all('form')[0]!.attributes.action, `comments.form?lang=${lang}`)
  }
})

t.test(
  'the language is that of the address, else of the site, and never of a header',
  async (t) => {
    const service = await openService(t)
    await service.post('a', 'x')
    const headers = { 'accept-language': 'fr' }
    const read = async (query: string) => {
      const answer = await service.get(`${PATH}${query}`, { headers })
      return [parse(answer.text).all('section')[0]!.attributes.lang, answer.headers.vary]
    }
    t.same(await read(''), ['en', 'Accept-Encoding'])
    t.same(await read('?lang=fi'), ['en', 'Accept-Encoding'], 'no sentences')
    await change(service, '', { language: 'de-AT' })
    t.same(await read(''), ['de-AT', 'Accept-Encoding'])
    t.same(await read('?lang=PT-br'), ['pt-BR', 'Accept-Encoding'])
    t.same(await read('?lang=de-1996-1996'), ['de-AT', 'Accept-Encoding'], 'no language tag')
    t.equal((await service.get(`${PATH}?lang=${encodeURIComponent('"><script>')}`)).status, 400)
  },
)

t.test('every author has the picture that the widget shows', async (t) => {
  const service = await openService(t)
  const { author } = await service.post('a', 'x')
  const headers = { host: 'comments.example' }
  const { all } = parse((await service.get(PATH, { headers })).text)
  t.match(all('img'), [
    {
      attributes: {
        src: `http://comments.example${author.avatar_url}`,
        alt: '',
        loading: 'lazy',
        referrerpolicy: 'no-referrer',
      },
    },
  ])
  t.same(parse((await service.get(`${PATH}?avatars=none`)).text).all('img'), [])
  const whole = await service.get(`${PATH}?page=1`)
  t.match(whole.headers['content-security-policy'], "img-src 'self' https: data:;")
})

const OF_PAGE = 'html head meta title link style body main'
const VALUE = fc.oneof(
  fc.constantFrom(...NAUGHTY_STRINGS, ...XSS_PAYLOADS),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', 'a', 'de', '1'),
)
const INPUT = fc.record({
  fields: fc.dictionary(fc.constantFrom('name', 'email', 'body', 'website2', 'confirm'), VALUE),
  query: fc.dictionary(
    fc.constantFrom('lang', 'sort', 'cursor', 'parent', 'focus', 'reply', 'page', 'article_text'),
    VALUE,
  ),
  article: VALUE.map((text) => encodeURIComponent(text.toWellFormed())),
  hasStamp: fc.boolean(),
  origin: fc.constantFrom('https://blog.example', 'null', 'http://localhost:80'),
})

t.test(
  'no field, parameter, article or origin breaks a page, its markup or its way back',
  async (t) => {
    const service = await openService(t)
    const stamp = parse((await service.get(PATH)).text)
      .all('input')
      .find(({ attributes }) => attributes.name === 'form')!.attributes.value!
    type Page = { statusCode: number; headers: Record<string, unknown>; body: string }
    const faultIn = ({ statusCode, headers, body }: Page): unknown => {
      if (statusCode >= 500) return statusCode
      if (statusCode === 303)
        return String(headers.location).startsWith(`http://localhost:80${SITE}/`)
          ? undefined
          : headers.location
      // The router refuses some addresses before it knows the route.
      if (String(headers['content-type']).includes('json')) return undefined
      const { elements, scripts } = parse(body)
      for (const script of scripts) JSON.parse(script)
      return elements.find(
        ({ name, attributes }) =>
          !`${ALLOWED} ${OF_PAGE}`.split(' ').includes(name) ||
          Object.keys(attributes).some((one) => one.startsWith('on')) ||
          /^\s*(javascript|data|vbscript):./i.test(name === 'a' ? (attributes.href ?? '') : ''),
      )
    }
    const property = fc.asyncProperty(
      INPUT,
      async ({ fields, query, article, hasStamp, origin }) => {
        const path = `${SITE}/articles/${article}`
        const read = await service.app.inject({
          url: `${path}/comments.html?${new URLSearchParams(query)}`,
        })
        const posted = await service.app.inject({
          method: 'POST',
          url: `${SITE}${PATH.replace('html', 'form')}?${new URLSearchParams(query.lang ? { lang: query.lang } : {})}`,
          headers: { 'content-type': 'application/x-www-form-urlencoded', origin },
          payload: new URLSearchParams({ ...fields, ...(hasStamp && { form: stamp }) }).toString(),
        })
        t.same([read, posted].map(faultIn), [undefined, undefined])
      },
    )
    await t.resolves(fc.assert(property, { numRuns: runs(40, 2_000), endOnFailure: true }))
  },
)
