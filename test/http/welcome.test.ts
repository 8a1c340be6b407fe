import t from 'tap'
import { openBrowser, skipWithoutBrowser } from '../browser.ts'
import { openService } from '../service.ts'

t.test('GET / names the service and its version and links to what it offers', async (t) => {
  const { call } = await openService(t)
  const { status, headers, text } = await call('GET', '/')
  t.equal(status, 200)
  t.equal(headers['content-type'], 'text/html; charset=utf-8')
  t.match(headers['content-security-policy'], /^default-src 'none'; style-src 'sha256-[^']+'/)
  t.notMatch(headers['content-security-policy'], /unsafe/)
  t.match(text, /Afterword <small>0\.0\.0</)
  t.match(text, /comment service/)
  t.notMatch(text, /<script(?![^>]*src=)/, 'no script is inline')
  const links = [...text.matchAll(/<a href="([^"]*)"/g)].map(([, href]) => href!)
  t.same(links, ['docs', 'openapi.yaml', 'readyz'])
  for (const link of links) t.equal((await call('GET', `/${link}`)).status, 200, link)
})

t.test('GET / prints the tag with the address that the reader used', async (t) => {
  const { call } = await openService(t)
  const printed = async (host: string) =>
    /src="([^"]*)\/embed\.js" async&gt;/.exec(
      (await call('GET', '/', { headers: { host } })).text,
    )?.[1]
  t.equal(await printed('blog.example:8080'), 'http://blog.example:8080')
  t.equal(await printed('[::1]:3000'), 'http://[::1]:3000')
  for (const host of ['a"onload=x', 'a&amp;b', '<b>', 'a b'])
    t.equal(await printed(host), 'http://comments.example', `${host} is not printed`)
})

t.test('GET / shows the demo thread to browsers on the same computer only', async (t) => {
  const { call } = await openService(t)
  const isShown = async (headers: Record<string, string>) =>
    /<afterword-thread article="demo"/.test((await call('GET', '/', { headers })).text)
  for (const host of ['localhost:3000', '127.0.0.1:3000', '[::1]:3000', 'LOCALHOST'])
    t.ok(await isShown({ host }), host)
  for (const host of ['blog.example', 'localhost.blog.example', '127.0.0.1.blog.example', '[::2]'])
    t.notOk(await isShown({ host }), host)
  const proxied = ['x-forwarded-for', 'forwarded']
  for (const name of proxied)
    t.notOk(await isShown({ host: '127.0.0.1:3000', [name]: '192.0.2.1' }), name)
})

t.test(
  'the page at / shows the demo thread under its policy, and a reader posts there',
  { skip: skipWithoutBrowser },
  async (t) => {
    const { app, post } = await openService(t)
    await post('demo', 'The *first* comment')
    const address = await app.listen({ port: 0, host: '127.0.0.1' })
    const page = await (await openBrowser(t)).newPage({ viewport: { width: 1200, height: 800 } })
    const complaints: string[] = []
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(String(error)))
    await page.goto(address)
    t.ok((await page.locator('body').boundingBox())!.width < 700, 'the style is in force')
    const thread = page.locator('afterword-thread')
    await thread.scrollIntoViewIfNeeded()
    await thread.locator('.body em', { hasText: 'first' }).waitFor()
    await thread.getByRole('button', { name: 'Write a comment' }).click()
    await thread.getByRole('textbox', { name: 'Comment' }).fill('From the first page')
    await thread.getByRole('textbox', { name: 'Name' }).fill('A reader')
    await thread.getByRole('button', { name: 'Post', exact: true }).click()
    await thread.locator('.body', { hasText: 'From the first page' }).waitFor()
    await page.reload()
    await thread.scrollIntoViewIfNeeded()
    await thread.locator('.body', { hasText: 'From the first page' }).waitFor()
    await page.locator('afterword-recent').scrollIntoViewIfNeeded()
    await page.locator('afterword-recent').getByText('From the first page').waitFor()
    t.same(complaints, [])
  },
)
