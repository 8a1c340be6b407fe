import { sql } from 'kysely'
import t from 'tap'
import { readSigned, writeSigned } from '../../src/http/comments-html/stamps.ts'
import { openBrowser, skipWithoutBrowser } from '../browser.ts'
import { KEYS, openService, type ServiceOptions, type TestService } from '../service.ts'
import { listen } from './sockets.ts'

const SITE = '/v1/sites/default'
const BLOG = 'https://blog.example'

type Json = Record<string, any>
/** Undefined: the header is not sent. */
type Headers = Record<string, string | undefined>

const open = async (t: Parameters<typeof openService>[0], options: ServiceOptions = {}) => {
  const service = await openService(t, options)
  await change(service, '', { origins: [BLOG] })
  return service
}

const change = (service: TestService, path: string, body: object) =>
  service.call('PATCH', `${SITE}${path}`, { token: service.adminKey, body })

const fieldOf = (text: string, name: string): string =>
  new RegExp(`name="${name}"[^>]* value="([^"]*)"`).exec(text)?.[1] ?? ''

const stampOf = async (service: TestService, query = '') =>
  fieldOf((await service.get(`/articles/a/comments.html${query}`)).text, 'form')

const send = async (service: TestService, fields: Json, headers: Headers = {}, article = 'a') =>
  service.app.inject({
    method: 'POST',
    url: `${SITE}/articles/${article}/comments.form`,
    headers: JSON.parse(
      JSON.stringify({
        'content-type': 'application/x-www-form-urlencoded',
        origin: BLOG,
        ...headers,
      }),
    ),
    payload: new URLSearchParams(fields).toString(),
  })

const post = async (service: TestService, fields: Json = {}, headers: Headers = {}) =>
  send(
    service,
    { name: 'Ada', body: 'a text', website2: '', form: await stampOf(service), ...fields },
    headers,
  )

const bodies = async (service: TestService): Promise<string[]> =>
  (await service.get('/articles/a/comments?view=flat')).body.items.map(({ body }: Json) => body)

/** Sends the confirmation of a page, as if a person had just read the page for this long. */
const confirm = (
  service: TestService,
  page: string,
  {
    fields = {},
    headers = {},
    seconds = 3,
  }: { fields?: Json; headers?: Headers; seconds?: number },
) => {
  const parts = [...readSigned(KEYS.guests, 'confirm', fieldOf(page, 'confirm'))!]
  const earlier = parts.with(MINTED_AT, Date.now() - seconds * 1000)
  const confirmation = writeSigned(KEYS.guests, 'confirm', earlier)
  return send(
    service,
    { name: 'Ada', body: 'a text', confirm: confirmation, ...fields },
    { origin: 'http://localhost:80', ...headers },
  )
}

/** The place of the time among the values that a confirmation signs. */
const MINTED_AT = 4

t.test('a form posts a comment, and returns the reader to it', async (t) => {
  const service = await open(t)
  const answer = await post(service, { body: 'one\r\ntwo' })
  t.equal(answer.statusCode, 303)
  const { items } = (await service.get('/articles/a/comments')).body
  t.match(items, [{ body: 'one\ntwo', author: { name: 'Ada', kind: 'guest' }, parent_id: null }])
  const own = `http://localhost:80${SITE}/articles/a/comments.html?page=1&focus=${items[0].id}#${items[0].id}`
  t.equal(answer.headers.location, own, 'the address of the article is not known')
  const seen = await service.call('GET', own.replace('http://localhost:80', ''))
  t.match(seen.text, 'one')
})

t.test('the reader returns to the article only if its address is the site’s', async (t) => {
  const service = await open(t)
  const name = (url: string) => change(service, '/articles/a', { url })
  await name(`${BLOG}/post`)
  const home = await post(service, { body: 'one' })
  t.match(home.headers.location, /^https:\/\/blog\.example\/post#c/)
  await name('https://elsewhere.example/post')
  const away = await post(service, { body: 'two' })
  t.match(away.headers.location, /^http:\/\/localhost:80\//)
  await change(service, '', { origins: ['*'] })
  const any = await post(service, { body: 'three' })
  t.match(any.headers.location, /^http:\/\/localhost:80\//, 'the form was on another page')
})

t.test('a form replies to the comment that its page was for', async (t) => {
  const service = await open(t)
  const { id } = await service.post('a', 'parent')
  const form = await stampOf(service, `?page=1&reply=${id}`)
  t.equal((await post(service, { form })).statusCode, 303)
  const { items } = (await service.get('/articles/a/comments')).body
  t.match(items, [{ id, replies: { items: [{ body: 'a text', parent_id: id }] } }])
})

t.test('a form that is sent twice makes one comment, also together', async (t) => {
  const service = await open(t)
  const form = await stampOf(service)
  const twice = await Promise.all([1, 2, 3, 4].map(() => post(service, { form })))
  const again = await post(service, { form })
  t.same(new Set([...twice, again].map(({ statusCode }) => statusCode)), new Set([303]))
  t.equal(new Set([...twice, again].map(({ headers }) => headers.location)).size, 1)
  t.same(await bodies(service), ['a text'])
  await post(service, { form, body: 'another' })
  await post(service, { form, name: 'Grace' })
  t.equal((await bodies(service)).length, 3)
})

t.test('a form of another origin is refused with a page, and posts nothing', async (t) => {
  const service = await open(t)
  for (const origin of [
    'https://evil.example',
    'http://blog.example',
    'https://blog.example.evil',
  ]) {
    const answer = await post(service, {}, { origin })
    t.equal(answer.statusCode, 403)
    t.match(answer.headers['content-type'], /^text\/html/)
    t.match(answer.body, 'data-afterword-code="origin_refused"')
  }
  t.same(await bodies(service), [])
})

const DOUBTS: [name: string, fields: Json, headers: Headers][] = [
  ['the origin null', {}, { origin: 'null', 'sec-fetch-site': 'cross-site' }],
  ['no origin', {}, { origin: undefined }],
  ['a filled trap', { website2: 'https://spam.example' }, {}],
  ['no stamp', { form: '' }, {}],
  ['a forged stamp', { form: 'WzEsImEiLG51bGwsNDk4ODg3XQ.AAAAAAAAAAAAAAAAAAAAAAAA' }, {}],
]

t.test('where the source is in doubt, a page keeps the text and asks to confirm', async (t) => {
  const service = await open(t)
  for (const [name, fields, headers] of DOUBTS) {
    const body = `</textarea><script>${name}`
    const stamped = { name: 'Ada', body, form: await stampOf(service), ...fields }
    const asked = await send(service, stamped, headers)
    t.equal(asked.statusCode, 200, name)
    t.match(asked.headers, {
      'cache-control': 'private, no-store',
      'referrer-policy': 'same-origin',
    })
    t.match(asked.body, `&lt;/textarea&gt;&lt;script&gt;${name}`)
    t.notMatch(await bodies(service), [body])
    const hasty = await confirm(service, asked.body, { fields: { body }, seconds: 0 })
    t.equal(hasty.statusCode, 200, `${name}: nobody reads so fast`)
    t.notMatch(await bodies(service), [body])
    const confirmed = await confirm(service, asked.body, { fields: { body } })
    t.equal(confirmed.statusCode, 303, name)
    t.equal((await bodies(service))[0], body)
  }
})

t.test('a confirmation is for one article and network, and makes one comment', async (t) => {
  const service = await open(t, { trustedProxies: ['127.0.0.1'] })
  const from = (address: string) => ({ 'x-forwarded-for': address })
  const asked = await post(service, { form: '' }, from('203.0.113.1'))
  const first = await confirm(service, asked.body, { headers: from('203.0.113.1') })
  t.equal(first.statusCode, 303)
  const again = await confirm(service, asked.body, { headers: from('203.0.113.1') })
  t.equal(again.headers.location, first.headers.location)
  const other = await confirm(service, asked.body, { headers: from('203.0.113.2') })
  t.equal(other.statusCode, 200, 'another network is asked itself')
  const fields = { name: 'Ada', body: 'a text', confirm: fieldOf(asked.body, 'confirm') }
  const own = { origin: 'http://localhost:80' }
  const elsewhere = await send(service, fields, { ...own, ...from('203.0.113.1') }, 'b')
  t.equal(elsewhere.statusCode, 200, 'and so is another article')
  t.same(await bodies(service), ['a text'])
})

t.test('a held comment has a page, with a code for the author', async (t) => {
  const service = await open(t)
  await change(service, '', { moderation: 'pre' })
  const answer = await post(service)
  t.equal(answer.statusCode, 202)
  t.match(answer.body, 'Thank you. A moderator will read it first.')
  const code = /<strong>([0-9A-Z-]{14})<\/strong>/.exec(answer.body)![1]
  const claimed = await service.call('POST', `${SITE}/guests/claim`, { body: { code } })
  const token = claimed.body.guest_token
  const viewer = await service.get('/articles/a/viewer', { token })
  t.match(viewer.body, { author: { name: 'Ada' }, pending: [{ body: 'a text' }] })
})

t.test('the same form of another reader of the network gets no code of the author', async (t) => {
  const service = await open(t)
  await change(service, '', { moderation: 'pre' })
  const form = await stampOf(service)
  const codeIn = ({ body }: { body: string }) => /<strong>([0-9A-Z-]{14})</.exec(body)?.[1]
  const first = await post(service, { form })
  const again = await post(service, { form })
  t.same([first.statusCode, again.statusCode], [202, 202])
  t.ok(codeIn(first))
  t.equal(codeIn(again), undefined)
  const fields = { body: 'another text' }
  const asked = await post(service, { ...fields, form: '' })
  const confirmed = await confirm(service, asked.body, { fields })
  const twice = await confirm(service, asked.body, { fields })
  t.ok(codeIn(confirmed) && codeIn(twice), 'only one reader has a page that asks to confirm')
})

t.test('a form in another encoding is refused, and changes no character', async (t) => {
  const service = await open(t)
  const form = await stampOf(service)
  const texts = ['%E4', '\u00e4', '%C0%AF', '%ED%A0%80', '%', '%zz']
  for (const text of texts) {
    const answer = await service.app.inject({
      method: 'POST',
      url: `${SITE}/articles/a/comments.form`,
      headers: { 'content-type': 'application/x-www-form-urlencoded;charset=latin1', origin: BLOG },
      payload: Buffer.from(`name=Ada&form=${form}&body=${text}`, 'latin1'),
    })
    t.equal(answer.statusCode, 400, encodeURI(text))
  }
  t.same(await bodies(service), [])
  t.match((await service.get('/articles/a/comments.html')).text, 'accept-charset="utf-8"')
})

t.test('a refusal has its status, a sentence and the text', async (t) => {
  const service = await open(t)
  const refused = async (status: number, code: string, fields: Json = {}) => {
    const answer = await post(service, { body: `for ${code}`, ...fields })
    t.equal(answer.statusCode, status, code)
    t.match(answer.body, `role="alert" data-afterword-code="${code}"`)
    t.match(answer.body, `for ${code}`)
  }
  const form = await stampOf(service)
  await refused(400, 'invalid_request', { name: ' ' })
  await change(service, '', { reserved_names: ['Ada'] })
  await refused(422, 'name_reserved')
  await change(service, '', { reserved_names: [] })
  await change(service, '/articles/a', { state: 'closed' })
  await refused(409, 'thread_closed', { form })
  await change(service, '', { who_may_post: 'members' })
  await refused(401, 'login_required', { form })
  t.same(await bodies(service), [])
})

t.test('no refusal loses the text, however early it comes', async (t) => {
  const service = await open(t, { limits: { read: 0, write: 3 } })
  const form = await stampOf(service)
  const body = 'a <b>text</b> that took an hour'
  const kept = 'a &lt;b&gt;text&lt;/b&gt; that took an hour</textarea>'
  const refused = async (code: string, answer: ReturnType<typeof send>) => {
    const { body: page, headers } = await answer
    t.equal(headers['content-type'], 'text/html; charset=utf-8')
    t.match(page, `data-afterword-code="${code}"`)
    t.match(page, kept, code)
    return page
  }
  const foreign = { origin: 'https://evil.example' }
  const elsewhere = await refused('origin_refused', send(service, { form, body }, foreign))
  t.notMatch(elsewhere, '<form', 'a page elsewhere cannot make a form with its own text here')
  await refused('invalid_request', send(service, { form, body, name: 'Ada', more: 'x' }))
  await post(service, { form })
  const page = await refused('rate_limited', send(service, { form, body, name: 'Ada' }))
  t.match(page, '<button>Post</button>', 'to send again in a minute')
  const absent = service.app.inject({
    method: 'POST',
    url: '/v1/sites/absent/articles/a/comments.form',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams({ body }).toString(),
  })
  await refused('not_found', absent)
})

t.test('a form that is no form or too large gets a page', async (t) => {
  const service = await open(t)
  const url = `${SITE}/articles/a/comments.form?lang=de`
  const ask = async (type: string, payload: string) => {
    const headers = { 'content-type': type, origin: BLOG }
    const { statusCode, body } = await service.app.inject({ method: 'POST', url, headers, payload })
    t.match(body, '<html lang="de"')
    return [statusCode, /data-afterword-code="(\w+)"/.exec(body)?.[1]]
  }
  t.same(await ask('multipart/form-data; boundary=x', '--x--'), [415, 'unsupported_media_type'])
  const type = 'application/x-www-form-urlencoded'
  t.same(await ask(type, `body=${'x'.repeat(140_000)}`), [413, 'body_too_large'])
  t.same(await ask(type, 'body=a&body=b'), [400, 'invalid_request'])
  t.same(await ask(type, 'body=%00'), [400, 'invalid_request'])
})

t.test('the longest comment of any script fits into the form', async (t) => {
  const service = await open(t)
  const body = '漢'.repeat(10_000)
  t.equal((await post(service, { body })).statusCode, 303)
  t.same(await bodies(service), [body])
})

t.test('the answers speak the language of the page with the form', async (t) => {
  const service = await open(t)
  await change(service, '', { moderation: 'pre', language: 'ar' })
  const form = await stampOf(service)
  const ask = (query: string, fields: Json) =>
    service.app.inject({
      method: 'POST',
      url: `${SITE}/articles/a/comments.form${query}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin: BLOG },
      payload: new URLSearchParams({ name: 'Ada', body: 'x', ...fields }).toString(),
    })
  t.match((await ask('?lang=de', { form })).body, 'Die Moderation prüft den Kommentar zuerst.')
  t.match((await ask('?lang=de', {})).body, 'comments.form?lang=de')
  t.match((await ask('', {})).body, '<html lang="ar" dir="rtl">')
})

t.test('the address of an answer leads to the comments when it is opened again', async (t) => {
  const service = await open(t)
  const { status, headers } = await service.get('/articles/a/comments.form?lang=de')
  t.equal(status, 303)
  t.match(headers.location, '/articles/a/comments.html?page=1&lang=de')
})

t.test('the form reads no credential, and other routes read no form', async (t) => {
  const service = await open(t)
  const { guest_token: token } = await service.post('a', 'by a guest')
  for (const authorization of [`Bearer ${token}`, `Bearer ${service.adminKey}`, 'Bearer x']) {
    const answer = await post(service, { body: authorization, name: 'Grace' }, { authorization })
    t.equal(answer.statusCode, 303)
  }
  const { items } = (await service.get('/articles/a/comments?view=flat&limit=3')).body
  t.same(
    items.map(({ author }: Json) => `${author.name} ${author.kind}`),
    Array(3).fill('Grace guest'),
  )
  for (const path of ['/articles/a/comments', '/guests', '/preview', '/guests/claim']) {
    const answer = await service.app.inject({
      method: 'POST',
      url: `${SITE}${path}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: 'body=x&name=x',
    })
    t.equal(answer.statusCode, 415, path)
  }
})

t.test('an erasure removes what a form has stored', async (t) => {
  const service = await open(t)
  const form = await stampOf(service)
  await post(service, { form })
  const { author } = (await service.get('/articles/a/comments')).body.items[0]
  const path = `${SITE}/authors/${author.id}`
  t.equal((await service.call('DELETE', path, { token: service.adminKey })).status, 204)
  const again = await post(service, { form })
  t.equal(again.statusCode, 410)
  const { rows } = await sql`select from idempotency_keys where answer::text <> 'null'`.execute(
    service.db,
  )
  t.equal(rows.length, 0)
})

t.test('too many forms get a page with the time to wait', async (t) => {
  const service = await open(t, { limits: { read: 0, write: 3 } })
  const form = await stampOf(service)
  const statuses: number[] = []
  for (let n = 0; n < 5; n++) {
    const answer = await post(service, { form, body: `text ${n}` })
    statuses.push(answer.statusCode)
    if (answer.statusCode === 429) {
      t.match(answer.headers['retry-after'], /^\d+$/)
      t.match(answer.body, 'data-afterword-code="rate_limited"')
    }
  }
  t.same(statuses, [303, 303, 303, 429, 429])
})

t.test(
  'a reader without JavaScript reads, replies and posts in a browser',
  { skip: skipWithoutBrowser },
  async (t) => {
    const service = await openService(t)
    const port = await listen(service.app)
    const browser = await openBrowser(t)
    const context = await browser.newContext({ javaScriptEnabled: false })
    const page = await context.newPage()
    const { id } = await service.post('a', 'a *first* comment')
    await page.goto(`http://127.0.0.1:${port}${SITE}/articles/a/comments.html?page=1`)
    t.equal(await page.locator('em').textContent(), 'first')
    await page.getByRole('link', { name: 'Reply, Ada' }).click()
    await page.getByLabel('Name').fill('Grace')
    await page.getByLabel('Comment').fill('a reply\nof two lines')
    await page.getByRole('button', { name: 'Post' }).click()
    const reply = page.locator('article', { hasText: 'of two lines' })
    await reply.waitFor()
    const { items } = (await service.get('/articles/a/comments')).body
    const [posted] = items[0].replies.items
    t.match(posted, { parent_id: id, body: 'a reply\nof two lines', author: { name: 'Grace' } })
    t.ok(page.url().endsWith(`#${posted.id}`), page.url())
    await change(service, '', { moderation: 'pre' })
    await page.getByLabel('Name').fill('Grace')
    await page.getByLabel('Comment').fill('a held comment')
    await page.getByRole('button', { name: 'Post' }).click()
    t.match(await page.getByRole('status').textContent(), 'A moderator will read it first.')
  },
)
