import type { Page } from 'playwright-core'
import t from 'tap'
import { skipWithoutBrowser } from '../browser.ts'
import { openSite } from '../web/pages.ts'

/** What happens to a page while it is open, and what the page does with the tag. */

const tag = (article: string, more = '') =>
  `<afterword-thread article="${article}" ${more}></afterword-thread>`

const post = async (page: Page, body: string, name?: string): Promise<void> => {
  await page.getByRole('button', { name: 'Write a comment' }).click()
  if (name) await page.getByLabel('Name').fill(name)
  await page.getByLabel('Comment', { exact: true }).fill(body)
  await page.getByRole('button', { name: 'Post', exact: true }).click()
}

t.test('occasions of a page', { skip: skipWithoutBrowser }, async (t) => {
  const { service, open } = await openSite(t)
  const patchThread = (article: string, body: object) =>
    service.call('PATCH', `/v1/sites/default/articles/${article}`, {
      token: service.adminKey,
      body,
    })

  t.test('an author reads why a comment was turned down, and appeals', async (t) => {
    const { page } = await open({ body: tag('turned') })
    await post(page, 'My opinion', 'Ada')
    await page.getByRole('article').filter({ hasText: 'My opinion' }).waitFor()
    const { body } = await service.get('/articles/turned/comments')
    await service.decide(body.items[0].id, 'approved', 'rejected', { reason: 'off_topic' })
    await page.reload()
    await page.getByText('Not published: Off topic').waitFor()
    await page.getByRole('button', { name: 'Why?' }).click()
    await page.getByText('Decided by a moderator.').waitFor()
    await page.getByRole('button', { name: 'Ask for another look' }).click()
    await page.getByLabel('Why should a moderator look again?').fill('It is on topic.')
    await page.getByRole('button', { name: 'Send' }).click()
    await page.getByText('Sent.').first().waitFor()
    const appeals = await service.call('GET', '/v1/sites/default/moderation/appeals', {
      token: service.adminKey,
    })
    t.match(appeals.body.items, [{ text: 'It is on topic.' }])
  })

  t.test('a page is told of what happens, and can change or stop a post', async (t) => {
    const { page } = await open({ body: tag('told') })
    await page.evaluate(() => {
      globalThis.heard = []
      for (const name of ['ready', 'count', 'before-post', 'post', 'vote', 'delete', 'jump'])
        document.addEventListener(`afterword-${name}`, (event) => {
          heard.push(name)
          const { detail } = event as CustomEvent
          if (name !== 'before-post') return
          if (detail.body === 'stop') event.preventDefault()
          else detail.body += '!'
        })
    })
    await post(page, 'stop', 'Ada')
    await page.waitForTimeout(100)
    t.equal(await page.getByLabel('Comment', { exact: true }).inputValue(), 'stop')
    await page.getByLabel('Comment', { exact: true }).fill('go')
    await page.getByRole('button', { name: 'Post', exact: true }).click()
    await page.getByText('go!').waitFor()
    await page.waitForFunction(() => document.querySelector('afterword-thread')?.viewer?.author)
    const told = await page.evaluate(() => {
      const { thread, viewer } = document.querySelector('afterword-thread')!
      return { thread, viewer }
    })
    t.match(told, { thread: { comment_count: 1 }, viewer: { author: { name: 'Ada' } } })
    const heard = await page.evaluate(() => globalThis.heard)
    t.match(
      heard.filter((name: string) => name !== 'ready' && name !== 'count'),
      ['before-post', 'before-post', 'post'],
    )
  })

  t.test('a page that is offline says so, and reads again when it is back', async (t) => {
    await service.post('offline', 'Before')
    const { page, requests } = await open({ body: tag('offline') })
    await page.getByText('Before').waitFor()
    await page.context().setOffline(true)
    await page.getByText('You are offline.').first().waitFor()
    await page.context().setOffline(false)
    await page.getByRole('status').filter({ hasText: 'You are online again.' }).waitFor()
    t.equal(requests.filter((request) => request.includes('/comments')).length, 1, 'too early')
  })

  t.test(
    'a page that comes back after a minute reads again and keeps what is written',
    async (t) => {
      await service.post('back', 'Before')
      const { page } = await open({ body: tag('back') })
      await page.getByText('Before').waitFor()
      await page.getByRole('button', { name: 'Write a comment' }).click()
      await page.getByLabel('Comment', { exact: true }).fill('half')
      await service.post('back', 'Meanwhile')
      await page.evaluate(() => {
        const now = Date.now
        Date.now = () => now() + 61_000
        dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))
      })
      await page.getByText('Meanwhile').waitFor()
      await page.getByRole('heading', { name: '2 Comments' }).waitFor()
      t.equal(await page.getByLabel('Comment', { exact: true }).inputValue(), 'half')
    },
  )

  t.test('another tab that signs the guest in is noticed', async (t) => {
    const { page } = await open({ body: tag('tabs') })
    await page.getByRole('button', { name: 'Write a comment' }).waitFor()
    const other = await page.context().newPage()
    await other.goto(page.url())
    const viewer = page.waitForRequest('**/viewer')
    await post(other, 'From the other tab', 'Ada')
    await viewer
    t.pass()
  })

  t.test('two tags with one thread show the same', async (t) => {
    await service.post('twice', 'Once')
    const body = tag('twice', 'loading="eager"') + tag('twice', 'loading="eager"')
    const { page } = await open({ body })
    await page.getByText('Once').nth(1).waitFor()
    await page.getByRole('button', { name: 'Vote for' }).first().click()
    await page.getByRole('button', { name: 'Vote for, 1 point' }).nth(1).waitFor()
    t.pass()
  })

  t.test('a site that reads comments first says so before a reader writes', async (t) => {
    await service.changeSite({ moderation: 'pre' })
    const { page } = await open({ body: tag('first') })
    await page.getByRole('button', { name: 'Write a comment' }).click()
    await page.getByText('A moderator reads comments first.').waitFor()
    await service.changeSite({ moderation: 'post' })
    t.pass()
  })

  t.test('a page replaces sentences, and its own language stays', async (t) => {
    await service.post('said', 'Here')
    const { page } = await open({ body: '' })
    await page.evaluate(() => {
      const made = document.createElement('afterword-thread')
      made.article = 'said'
      made.messages = { write: 'Your turn' }
      made.lang = 'en-GB'
      document.body.append(made)
    })
    await page.getByRole('button', { name: 'Your turn' }).waitFor()
    t.pass()
  })

  t.test('a printed page has all texts, also hidden ones, and no buttons', async (t) => {
    const { id } = await service.post('printed', 'Above')
    await service.post('printed', 'Below', { parent_id: id })
    const { page } = await open({ body: tag('printed') })
    await page.getByRole('button', { name: 'Hide replies' }).click()
    await page.getByText('Below').waitFor({ state: 'hidden' })
    await page.emulateMedia({ media: 'print' })
    await page.getByText('Below').waitFor()
    t.equal(await page.getByRole('button').count(), 0)
  })

  t.test('hostile names and texts are shown as text', async (t) => {
    const hostile = '<img src=x onerror=alert(1)>"\'><script>alert(2)</script>'
    await service.post('hostile', hostile, { author: { name: hostile.slice(0, 60) } })
    await patchThread('hostile', { title: hostile })
    const { page, complaints } = await open({ body: tag('hostile') })
    page.on('dialog', () => t.fail('a script ran'))
    await page.getByRole('heading', { name: hostile }).first().waitFor()
    t.equal(
      await page.locator('afterword-thread img:not(.avatar), afterword-thread script').count(),
      0,
    )
    t.match(await page.locator('.body').textContent(), hostile)
    t.same(complaints, [])
  })
})
