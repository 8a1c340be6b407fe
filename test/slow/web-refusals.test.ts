import t from 'tap'
import { skipWithoutBrowser } from '../browser.ts'
import { openSignOn } from '../members.ts'
import { openSite, strictPolicy } from '../web/pages.ts'

/** What readers see where the service refuses the page, the reader or the moment. */

const tag = (article: string, more = '') =>
  `<afterword-thread article="${article}" ${more}></afterword-thread>`

t.test('a page whose comments are refused', { skip: skipWithoutBrowser }, async (t) => {
  const { service, base, open } = await openSite(t)

  t.test('an unknown site, and a page of an origin that the site does not list', async (t) => {
    await service.post('listed', 'Here')
    const unknown = await open({ body: tag('listed', 'site="unknown"') })
    await unknown.page.getByRole('alert').getByText('Comments cannot be shown').waitFor()
    t.equal(await unknown.page.getByRole('button', { name: 'Try again' }).count(), 0)
    t.match(unknown.complaints.join('\n'), /listThread: not_found/, 'the owner finds the reason')

    const { page } = await open({ body: tag('listed') })
    await page.getByText('Here').waitFor()
    await service.changeSite({ origins: ['https://blog.example'] })
    await page.getByRole('button', { name: 'Write a comment' }).click()
    await page.getByLabel('Name').fill('Ada')
    await page.getByLabel('Comment', { exact: true }).fill('Kept')
    await page.getByRole('button', { name: 'Post', exact: true }).click()
    await page.getByRole('alert').getByText('Comments cannot be written on this page.').waitFor()
    t.equal(await page.getByLabel('Comment', { exact: true }).inputValue(), 'Kept')
    const refused = await open({ body: tag('listed') })
    await refused.page.getByRole('alert').getByText('Comments cannot be shown').waitFor()
    await service.changeSite({ origins: ['*'] })
  })

  t.test('a network that reads too much is told so at once, and may try again', async (t) => {
    await service.post('much', 'Later')
    const { page } = await open({ body: '' })
    let isBusy = true
    await page.route('**/articles/much/comments*', (route) =>
      isBusy
        ? route.fulfill({
            status: 429,
            headers: {
              'access-control-allow-origin': '*',
              'access-control-expose-headers': 'retry-after',
              'retry-after': '60',
            },
            contentType: 'application/problem+json',
            body: JSON.stringify({ code: 'rate_limited' }),
          })
        : route.continue(),
    )
    await page.evaluate(() => {
      const made = document.createElement('afterword-thread')
      made.article = 'much'
      document.body.prepend(made)
    })
    await page.getByRole('alert').getByText('That was a lot at once.').waitFor()
    isBusy = false
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByText('Later').waitFor()
    t.equal(await page.getByRole('alert').count(), 0)
  })

  t.test('a page that cannot ask the service links to the page of the comments', async (t) => {
    const policy = strictPolicy(base).replace(`connect-src ${base}`, "connect-src 'self'")
    const { page } = await open({ body: tag('unreachable', 'lang="de"'), policy })
    const link = page.getByRole('link', { name: 'Show comments' })
    await link.waitFor()
    t.equal(
      await link.getAttribute('href'),
      `${base}/v1/sites/default/articles/unreachable/comments.html?page=1`,
    )
    const own = '<afterword-thread article="a"><p>Ask by mail</p></afterword-thread>'
    const { page: other } = await open({ body: own, policy })
    await other.getByRole('button', { name: 'Try again' }).waitFor()
    t.ok(await other.getByText('Ask by mail').isVisible(), 'the content of the tag stays')
  })

  t.test('a page whose thread has no script links to the page of the comments', async (t) => {
    const { page } = await open({ body: '' })
    await page.route('**/embed/thread-*', (route) => route.abort())
    await page.route('**/embed/manifest.json', (route) => route.abort())
    await page.evaluate(() => {
      const made = document.createElement('afterword-thread')
      made.article = 'scriptless'
      made.setAttribute('fallback', '/comments-by-mail')
      made.lang = 'de'
      document.body.prepend(made)
    })
    const link = page.getByRole('link', { name: 'Kommentare anzeigen' })
    await link.waitFor()
    t.equal(await link.getAttribute('href'), '/comments-by-mail')
  })

  t.test('a page shows its own way to log in', async (t) => {
    await openSignOn(service)
    await service.changeSite({ who_may_post: 'members', login_url: 'https://example.org/login' })
    const { page, origin } = await open({ body: tag('login') })
    const link = page.getByRole('link', { name: 'Log in' })
    await link.waitFor()
    await page.evaluate(() => {
      globalThis.heard = []
      document.addEventListener('afterword-login', (event) => {
        globalThis.heard.push(event.type)
        event.preventDefault()
      })
    })
    await link.click()
    t.same(await page.evaluate(() => globalThis.heard), ['afterword-login'])
    t.equal(new URL(page.url()).origin, origin, 'the page stays')
  })
})
