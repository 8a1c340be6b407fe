import type { Page } from 'playwright-core'
import t from 'tap'
import { skipWithoutBrowser } from '../browser.ts'
import { openSignOn, signToken } from '../members.ts'
import { openSite, strictPolicy } from '../web/pages.ts'

const skip = skipWithoutBrowser

const tag = (article: string, more = '') =>
  `<afterword-thread article="${article}" ${more}></afterword-thread>`

const write = async (page: Page, body: string, name?: string): Promise<void> => {
  await page.getByRole('button', { name: 'Write a comment' }).click()
  if (name) await page.getByLabel('Name').fill(name)
  await page.getByLabel('Comment', { exact: true }).fill(body)
}

const post = async (page: Page, body: string, name?: string): Promise<void> => {
  await write(page, body, name)
  await page.getByRole('button', { name: 'Post', exact: true }).click()
}

const article = (page: Page, text: string) => page.getByRole('article').filter({ hasText: text })

/** The element that has the focus inside the tag. */
const untilFocused = (page: Page, text: string) =>
  page.waitForFunction((wanted) => {
    const { activeElement } = document.querySelector('afterword-thread')!.shadowRoot!
    return activeElement?.textContent?.includes(wanted)
  }, text)

const openActions = (page: Page, text: string) =>
  article(page, text).getByRole('button', { name: 'More actions' }).click()

t.test('a reader who writes', { skip }, async (t) => {
  const { service, open } = await openSite(t)

  t.test('a guest posts, and the thread shows the comment and remembers the name', async (t) => {
    const { page, complaints, requests } = await open({ body: tag('post') })
    await post(page, 'Hello *there*', 'Ada')
    await page.getByRole('status').filter({ hasText: 'Posted.' }).waitFor()
    await untilFocused(page, 'Hello there')
    await page.getByRole('heading', { name: '1 Comment', exact: true }).waitFor()
    await page.reload()
    await article(page, 'Hello there').getByText('You', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Write a comment' }).click()
    await page.getByText('Writing as Ada').waitFor()
    t.ok(
      requests.some((request) => request.includes('at_least=')),
      'the reload shows the post',
    )
    t.same(complaints, [])
  })

  t.test('the text has the focus as soon as the editor is shown', async (t) => {
    const { page } = await open({ body: tag('focus') })
    const button = page.getByRole('button', { name: 'Write a comment' })
    await button.waitFor()
    const focused = page.evaluate(() => {
      const root = document.querySelector('afterword-thread')!.shadowRoot!
      const { promise, resolve } = Promise.withResolvers<string | undefined>()
      // The observer is called before the browser handles the next key or paints.
      new MutationObserver(() => {
        if (root.querySelector('form')) resolve(root.activeElement?.tagName)
      }).observe(root, { childList: true, subtree: true })
      return promise
    })
    await button.click()
    t.equal(await focused, 'TEXTAREA')
    await page.getByLabel('Name').fill('Ada')
    t.equal(await page.getByLabel('Name').inputValue(), 'Ada')
  })

  t.test('a device whose clock is a year ahead shows the age of a comment', async (t) => {
    await service.post('ahead', 'Just written', { author: { name: 'Grace' } })
    const { page } = await open({ body: tag('ahead') })
    await page.addInitScript(() => {
      const now = Date.now
      Date.now = () => now() + 31_536_000_000
    })
    await page.reload()
    const time = article(page, 'Just written').locator('time')
    t.match(await time.textContent(), /now|second|minute/)
    t.ok(await page.evaluate(() => new Date(Date.now()).getFullYear() > new Date().getFullYear()))
  })

  t.test('a reply stands below its comment', async (t) => {
    await service.post('reply', 'A question', { author: { name: 'Grace' } })
    const { page } = await open({ body: tag('reply') })
    await page.getByRole('button', { name: 'Reply' }).click()
    await page.getByLabel('Name').fill('Ada')
    await page.getByLabel('Comment', { exact: true }).fill('An answer')
    await page.keyboard.press('Control+Enter')
    await page.getByRole('heading', { name: /^Ada ?, reply to Grace, level 2$/ }).waitFor()
    await untilFocused(page, 'An answer')
    const { body } = await service.get('/articles/reply/comments')
    t.equal(body.items[0].replies.items[0].body, 'An answer')
  })

  t.test('Escape closes the editor, keeps the text and gives the focus back', async (t) => {
    await service.post('escape', 'A question')
    const { page } = await open({ body: tag('escape') })
    await page.getByRole('button', { name: 'Reply' }).click()
    await page.getByLabel('Comment', { exact: true }).fill('half')
    await page.keyboard.press('Escape')
    await untilFocused(page, 'Reply')
    await page.reload()
    await page.getByRole('button', { name: 'Reply' }).click()
    t.equal(await page.getByLabel('Comment', { exact: true }).inputValue(), 'half')
  })

  t.test('a text that was not sent is kept, and sent once', async (t) => {
    const { page } = await open({ body: tag('line') })
    let attempts = 0
    await page.route('**/articles/line/comments', async (route) => {
      if (route.request().method() !== 'POST' || ++attempts > 1) return route.continue()
      // The service stores the comment, and its answer is lost.
      await route.fetch()
      return route.abort()
    })
    await post(page, 'Once only', 'Ada')
    await page.getByText('Not sent yet. Your text is kept.').waitFor()
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByRole('status').filter({ hasText: 'Posted.' }).waitFor()
    t.equal(attempts, 2)
    t.match((await service.get('/articles/line')).body, { comment_count: 1 })
  })

  t.test('the form says at each field what is missing', async (t) => {
    const { page } = await open({ body: tag('fields') })
    await page.getByRole('button', { name: 'Write a comment' }).click()
    await page.getByRole('button', { name: 'Post', exact: true }).click()
    await page.getByText('Please fill this in.').first().waitFor()
    const body = page.getByLabel('Comment', { exact: true })
    t.equal(await body.getAttribute('aria-invalid'), 'true')
    t.ok(await body.evaluate((area) => area.matches(':focus')), 'the first bad field has the focus')
  })

  t.test('the preview shows the text as readers will see it', async (t) => {
    const { page } = await open({ body: tag('preview') })
    await write(page, '**bold**', 'Ada')
    await page.getByRole('button', { name: 'Preview' }).click()
    t.equal(await page.locator('.preview strong').textContent(), 'bold')
  })

  t.test('an author edits a comment, and an edit on two devices loses no text', async (t) => {
    const { page } = await open({ body: tag('edit') })
    await post(page, 'First text', 'Ada')
    await openActions(page, 'First text')
    await page.getByRole('button', { name: 'Edit', exact: true }).click()
    await page.getByText(/left to edit/).waitFor()
    const area = page.getByLabel('Comment', { exact: true })
    t.equal(await area.inputValue(), 'First text')
    await area.fill('Second text')
    await page.getByRole('button', { name: 'Save' }).click()
    await untilFocused(page, 'Second text')
    await article(page, 'Second text').getByText('edited', { exact: true }).waitFor()

    await openActions(page, 'Second text')
    await page.getByRole('button', { name: 'Edit', exact: true }).click()
    const { body } = await service.get('/articles/edit/comments')
    const guest = await page.evaluate(() => {
      const name = Object.keys(localStorage).find((key) => key.endsWith(':guest'))!
      return JSON.parse(localStorage.getItem(name)!).token as string
    })
    const { id } = body.items[0]
    const path = `/v1/sites/default/comments/${id}`
    await service.call('PATCH', path, { token: guest, body: { body: 'Another device' } })
    await page.getByLabel('Comment', { exact: true }).fill('Third text')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('This comment was changed meanwhile.').waitFor()
    await page.getByText('Another device').waitFor()
    await page.getByRole('button', { name: 'Keep mine' }).click()
    await untilFocused(page, 'Third text')
  })

  t.test('an author deletes a comment, and the focus goes to the next one', async (t) => {
    await service.post('delete', 'Older')
    const { page } = await open({ body: tag('delete') })
    await post(page, 'Mine', 'Ada')
    await openActions(page, 'Mine')
    await page.getByRole('button', { name: 'Delete' }).click()
    await page.getByText('Delete this comment?').waitFor()
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByRole('status').filter({ hasText: 'Deleted.' }).waitFor()
    await untilFocused(page, 'Older')
    t.equal(await page.getByText('Mine').count(), 0)
    await page.getByRole('heading', { name: '1 Comment', exact: true }).waitFor()
  })

  t.test('a reader without a name votes, and takes the vote back', async (t) => {
    await service.post('vote', 'Good point')
    const { page, requests } = await open({ body: tag('vote') })
    const voted = page.waitForResponse((answer) => answer.request().method() === 'PUT')
    await page.getByRole('button', { name: 'Vote for' }).click()
    await page.getByRole('button', { name: 'Vote for, 1 point' }).waitFor()
    await voted
    const pressed = page.getByRole('button', { name: 'Vote for', pressed: true })
    await pressed.waitFor()
    t.equal(requests.filter((request) => /POST .*\/guests$/.test(request)).length, 1)
    await page.reload()
    const answer = page.waitForResponse((sent) => sent.request().method() === 'PUT')
    await pressed.click()
    await answer
    await page.getByRole('button', { name: 'Vote for, 0 points' }).waitFor()
    t.match((await service.get('/articles/vote/comments')).body.items[0], { upvotes: 0 })
  })

  t.test('a refused vote restores the number and says why', async (t) => {
    await service.post('unvoted', 'Good point')
    const { page } = await open({ body: tag('unvoted') })
    await page.route('**/vote', (route) =>
      route.fulfill({
        status: 403,
        contentType: 'application/problem+json',
        headers: { 'access-control-allow-origin': '*' },
        body: JSON.stringify({ code: 'forbidden' }),
      }),
    )
    await page.getByRole('button', { name: 'Vote for' }).click()
    await page.getByRole('alert').filter({ hasText: 'You may not do this.' }).waitFor()
    await page.getByRole('button', { name: 'Vote for, 0 points' }).waitFor()
    t.pass()
  })

  t.test('a reader reports a comment with a reason', async (t) => {
    const { id } = await service.post('report', 'Buy my book')
    const { page } = await open({ body: tag('report') })
    await openActions(page, 'Buy my book')
    await page.getByRole('button', { name: 'Report' }).click()
    await page.getByLabel('Spam').check()
    await page.getByLabel('More (optional)').fill('Everywhere the same')
    await page.getByRole('button', { name: 'Report', exact: true }).click()
    await page.getByText('Reported. Thank you.').first().waitFor()
    await untilFocused(page, '⋯')
    const queue = await service.get('/moderation/comments?flagged=true&status=approved', {
      token: service.adminKey,
    })
    t.match(queue.body.items, [{ id }])
  })

  t.test('a held comment stays in its place after a reload, for its author alone', async (t) => {
    await service.call('PATCH', '/v1/sites/default/articles/held', {
      token: service.adminKey,
      body: { moderation: 'pre' },
    })
    const { page } = await open({ body: tag('held') })
    await post(page, 'Please read me', 'Ada')
    await page.getByRole('status').filter({ hasText: 'A moderator will read it first.' }).waitFor()
    await article(page, 'Please read me').getByText('Waits for a moderator').waitFor()
    await page.reload()
    await article(page, 'Please read me').getByText('Waits for a moderator').waitFor()
    await openActions(page, 'Please read me')
    await page.getByRole('button', { name: 'Why?' }).click()
    await page.getByText('A moderator reads every comment here first.').waitFor()
    const { page: other } = await open({ body: tag('held') })
    await other.getByText('No comments yet.').waitFor()
    t.equal(await other.getByText('Please read me').count(), 0)
  })

  t.test('slow mode shows how long the author waits, and keeps the text', async (t) => {
    await service.call('PATCH', '/v1/sites/default/articles/slow', {
      token: service.adminKey,
      body: { slow_mode_seconds: 600 },
    })
    const { page } = await open({ body: tag('slow') })
    await post(page, 'One', 'Ada')
    await untilFocused(page, 'One')
    await write(page, 'Two')
    await page
      .getByText(/You can post in \d+ (minutes|seconds)\./)
      .first()
      .waitFor()
    t.equal(await page.getByLabel('Comment', { exact: true }).inputValue(), 'Two')
    t.match((await service.get('/articles/slow')).body, { comment_count: 1 })
  })

  t.test('a guest whose token is refused is asked before they post anew', async (t) => {
    const { page } = await open({ body: tag('forgotten') })
    await post(page, 'Before', 'Ada')
    await untilFocused(page, 'Before')
    await page.evaluate(() => {
      const name = Object.keys(localStorage).find((key) => key.endsWith(':guest'))!
      const kept = JSON.parse(localStorage.getItem(name)!)
      localStorage.setItem(
        name,
        JSON.stringify({ ...kept, token: `${kept.token.slice(0, -4)}AAAA` }),
      )
    })
    await post(page, 'After')
    await page.getByText('This device’s name was forgotten. Post again as Ada?').waitFor()
    t.match((await service.get('/articles/forgotten')).body, { comment_count: 1 })
    await page.getByRole('button', { name: 'Post again' }).click()
    await untilFocused(page, 'After')
  })
})

t.test('a guest takes their name to another device by a code', { skip }, async (t) => {
  const { open, service } = await openSite(t)
  const first = await open({ body: tag('carry') })
  await post(first.page, 'On this device', 'Ada')
  await untilFocused(first.page, 'On this device')
  await first.page.getByRole('button', { name: 'Write a comment' }).click()
  await first.page.getByRole('button', { name: 'Use my name on another device' }).click()
  const code = await first.page.locator('output').textContent()
  const second = await open({ body: tag('carry') })
  await second.page.getByRole('button', { name: 'Write a comment' }).click()
  await second.page.getByRole('button', { name: 'I have a code' }).click()
  const enter = second.page.getByLabel('I have a code')
  await enter.fill('AAAA-BBBB-CCCC')
  await second.page.getByRole('button', { name: 'Use this name here' }).click()
  await second.page.getByText('This code is wrong or too old.').waitFor()
  await enter.fill(code!)
  await second.page.getByRole('button', { name: 'Use this name here' }).click()
  await second.page.getByText('This device now writes as Ada.').waitFor()
  await article(second.page, 'On this device').getByText('You', { exact: true }).waitFor()
  await second.page.getByLabel('Comment', { exact: true }).fill('And on that one')
  await second.page.getByRole('button', { name: 'Post', exact: true }).click()
  await untilFocused(second.page, 'And on that one')
  const { items } = (await service.get('/articles/carry/comments')).body
  t.equal(items[0].author.id, items[1].author.id)
})

t.test('a site whose members write', { skip }, async (t) => {
  const { service, base, open } = await openSite(t)
  await openSignOn(service)
  await service.changeSite({
    who_may_post: 'members',
    login_url: 'https://example.org/login?to={return}',
  })

  t.test('a reader without an account finds the way to log in', async (t) => {
    const { page, origin } = await open({ body: tag('members') })
    await page.getByText('You must be logged in to post a comment.').waitFor()
    const link = page.getByRole('link', { name: 'Log in' })
    const back = encodeURIComponent(`${origin}/`)
    t.equal(await link.getAttribute('href'), `https://example.org/login?to=${back}`)
  })

  t.test('a text that a reader wrote before they logged in is kept and posted', async (t) => {
    const { page } = await open({ body: tag('kept') })
    const setPosters = (who_may_post: string) => service.changeSite({ who_may_post })
    await setPosters('anyone')
    await page.reload()
    await write(page, 'Written before', 'Ada')
    await setPosters('members')
    await page.getByRole('button', { name: 'Post', exact: true }).click()
    await page.getByRole('alert').getByText('You must be logged in').waitFor()
    await page.reload()
    await page.getByRole('link', { name: 'Log in' }).waitFor()
    const token = await signToken()
    await page.evaluate((given) => {
      const made = document.querySelector('afterword-thread')!
      made.token = given
      return made.reload()
    }, token)
    await page.getByRole('button', { name: 'Write a comment' }).click()
    await page.getByText('Your text is kept on this device.').waitFor()
    await page.getByRole('button', { name: 'Post', exact: true }).click()
    await untilFocused(page, 'Written before')
    t.match((await service.get('/articles/kept/comments')).body.items, [{ body: 'Written before' }])
  })

  t.test(
    'a page names an address that returns the token, and is asked before it ends',
    async (t) => {
      const policy = strictPolicy(base).replace('connect-src', "connect-src 'self'")
      const { page } = await open({ body: '', policy })
      const now = Math.floor(Date.now() / 1000)
      const tokens = [await signToken({ iat: now, exp: now + 30 }), await signToken()]
      let asked = 0
      await page.route('**/token', (route) =>
        route.fulfill({ json: { token: tokens[Math.min(asked++, 1)] } }),
      )
      await page.evaluate(() => {
        const made = document.createElement('afterword-thread')
        made.article = 'by-address'
        made.tokenUrl = '/token'
        document.body.append(made)
      })
      await post(page, 'By its address')
      await untilFocused(page, 'By its address')
      t.equal(asked, 2, 'once, and again in the last minute of the first token')
    },
  )

  t.test('a member posts with a token of the page, which is renewed when it ends', async (t) => {
    const { page } = await open({ body: '' })
    const ended = await signToken({ iat: 1_700_000_000, exp: 1_700_000_100 })
    const tokens = [ended, await signToken()]
    await page.exposeFunction('giveToken', () => (tokens.length > 1 ? tokens.shift() : tokens[0]))
    await page.evaluate(() => {
      const made = document.createElement('afterword-thread')
      made.setAttribute('article', 'members')
      made.token = () => globalThis.giveToken()
      document.body.append(made)
    })
    await post(page, 'As a member')
    await page.getByRole('heading', { name: /^Ada Member ?, level 1$/ }).waitFor()
    await untilFocused(page, 'As a member')
    t.match((await service.get('/articles/members/comments')).body.items, [
      { author: { kind: 'member' } },
    ])
  })
})
