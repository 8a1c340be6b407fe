import axe from 'axe-core'
import type { Page } from 'playwright-core'
import t from 'tap'
import { skipWithoutBrowser } from '../browser.ts'
import { runs } from '../lengths.ts'
import { openSignOn, signToken } from '../members.ts'
import type { TestService } from '../service.ts'
import { openSite } from './pages.ts'

/** The widget for everybody: what a screen reader finds, and that nothing jumps. */

const tag = (article: string, more = '') =>
  `<main><afterword-thread article="${article}" ${more}></afterword-thread></main>`

/** The states that begin with a post: each in one look, since the service limits the posts of a network. */
const POSTS = /held|appeal|deleted/

/** axe brings its own code into the page, which the strict policy would refuse. */
const LAX = 'img-src *'
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

const faultsOf = async (page: Page): Promise<string[]> => {
  await page.evaluate(axe.source)
  const { violations } = await page.evaluate(
    (rules) =>
      (globalThis as unknown as { axe: typeof axe }).axe.run('afterword-thread', {
        runOnly: rules,
      }),
    RULES,
  )
  return violations.flatMap(({ id, nodes }: axe.Result) =>
    nodes.map(({ target, failureSummary }) => `${id} ${target.join(' ')} ${failureSummary}`),
  )
}

const seed = async (service: TestService, article: string): Promise<string[]> => {
  const token = await signToken({ sub: 'corey', name: 'Corey', role: 'moderator' })
  const texts = 'Some `code`, a [link](https://a.example) and\n\n> a quote\n\n- one\n- two'
  const root = await service.post(article, texts)
  const reply = await service.post(article, 'A reply', { parent_id: root.id }, { token })
  const last = await service.post(article, 'Below', { parent_id: reply.id })
  await service.call('PUT', `/v1/sites/default/comments/${root.id}/pin`, {
    token: service.adminKey,
    body: { pinned: true },
  })
  return [root.id, reply.id, last.id]
}

t.test('the widget is for everybody', { skip: skipWithoutBrowser }, async (t) => {
  const { service, open } = await openSite(t)
  await openSignOn(service)
  const [root] = await seed(service, 'all')

  const patch = (article: string, body: object) =>
    service.call('PATCH', `/v1/sites/default/articles/${article}`, {
      token: service.adminKey,
      body,
    })
  const post = async (page: Page, article: string) => {
    await page.evaluate((id) => {
      document.querySelector('afterword-thread')!.article = id
    }, article)
    await page.getByText('No comments yet.').waitFor()
    await page.getByRole('button', { name: 'Write a comment' }).click()
    await page.getByLabel('Name').fill('Ada')
    await page.getByLabel('Comment', { exact: true }).fill(`My own ${article}`)
    await page.getByRole('button', { name: 'Post', exact: true }).click()
    await page.getByRole('article').getByText('You', { exact: true }).waitFor()
  }
  let turned = 0
  const states: Record<string, (page: Page) => Promise<unknown>> = {
    'a thread with a pinned comment': (page) => page.getByText('Pinned').first().waitFor(),
    'an editor with a fault': async (page) => {
      await page.getByRole('button', { name: 'Write a comment' }).click()
      await page.getByRole('button', { name: 'Post', exact: true }).click()
      await page.getByText('Please fill this in.').first().waitFor()
    },
    'a preview and a code': async (page) => {
      await page.getByRole('button', { name: 'Reply' }).first().click()
      await page.getByLabel('Comment', { exact: true }).fill('**bold** `code`')
      await page.getByRole('button', { name: 'Preview' }).click()
      await page.locator('.preview strong').waitFor()
      await page.getByRole('button', { name: 'I have a code' }).click()
      await page.getByRole('button', { name: 'Use this name here' }).waitFor()
    },
    'the actions and a report': async (page) => {
      await page.getByRole('button', { name: 'More actions' }).first().click()
      await page.getByRole('button', { name: 'Report' }).click()
      await page.getByLabel('More (optional)').waitFor()
    },
    'an own comment that is held, and why': async (page) => {
      await patch('held', { moderation: 'pre' })
      await post(page, 'held')
      await page.getByRole('button', { name: 'More actions' }).click()
      await page.getByRole('button', { name: 'Why?' }).click()
      await page.getByText('A moderator reads every comment here first.').waitFor()
    },
    'an appeal': async (page) => {
      const article = `turned-${turned++}`
      await post(page, article)
      const { body } = await service.get(`/articles/${article}/comments`)
      await service.decide(body.items[0].id, 'approved', 'rejected', { reason: 'off_topic' })
      await page.evaluate(() => document.querySelector('afterword-thread')!.reload())
      await page.getByRole('button', { name: 'Why?' }).click()
      await page.getByRole('button', { name: 'Ask for another look' }).click()
      await page.getByLabel('Why should a moderator look again?').waitFor()
    },
    'a closed thread': async (page) => {
      await patch('all', { state: 'closed' })
      await page.evaluate(() => document.querySelector('afterword-thread')!.reload())
      await page.getByText('Comments are closed.').waitFor()
      await patch('all', { state: 'open' })
    },
    'a site that does not exist': async (page) => {
      await page.evaluate(() => {
        document.querySelector('afterword-thread')!.site = 'unknown'
      })
      await page.getByText('Comments cannot be shown on this page.').waitFor()
    },
    'a comment that is deleted': async (page) => {
      await post(page, `deleted-${turned++}`)
      await page.getByRole('button', { name: 'More actions' }).click()
      await page.getByRole('button', { name: 'Delete' }).click()
      await page.getByText('Delete this comment?').waitFor()
    },
    'collapsed replies': async (page) => {
      await page.getByRole('button', { name: 'Hide replies' }).first().click()
      await page.getByRole('button', { name: 'Show 2 replies' }).waitFor()
    },
  }
  const looks = {
    light: { context: { colorScheme: 'light' as const } },
    dark: { context: { colorScheme: 'dark' as const } },
    phone: { viewport: { width: 320, height: 640 } },
  }
  for (const [name, reach] of Object.entries(states).slice(0, runs(2, 99)))
    for (const [look, options] of Object.entries(looks).slice(0, runs(1, POSTS.test(name) ? 1 : 3)))
      t.test(`axe finds no fault in ${name}, ${look}`, async (t) => {
        const head = '<style nonce="n">html{color-scheme:light dark;background:Canvas}</style>'
        const { page } = await open({ body: tag('all'), head, policy: LAX, ...options })
        await page.getByText('Below').waitFor()
        await reach(page)
        t.same(await faultsOf(page), [])
        const [wide, shown] = await page.evaluate(() => [
          document.documentElement.scrollWidth,
          document.documentElement.clientWidth,
        ])
        t.ok(wide! <= shown!, 'the page does not scroll sideways')
        await page.context().close()
      })

  t.test('the accessibility tree has a heading for every comment', async (t) => {
    const all = []
    for (let n = 0; n < 30; n++) all.push(await service.post('many', `Comment ${n}`))
    const { page } = await open({ body: tag('many', 'limit="30"') })
    await page.getByText('Comment 0').waitFor()
    const session = await page.context().newCDPSession(page)
    const { nodes } = await session.send('Accessibility.getFullAXTree')
    const names = nodes.flatMap(({ role, name, ignored }) =>
      role?.value === 'heading' && !ignored ? [String(name?.value)] : [],
    )
    t.equal(names.filter((name) => / ?, level 1$/.test(name)).length, all.length)
  })

  t.test('nothing moves after it is shown', async (t) => {
    const cases = {
      comments: tag('all'),
      'no comments': tag('none'),
      'comments far below': `<div id="far"></div>${tag('all')}`,
    }
    for (const [name, body] of Object.entries(cases)) {
      const head = `<style nonce="n">#far{block-size:3000px}</style><script nonce="n">
globalThis.shifts = 0
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) globalThis.shifts += entry.value
}).observe({ type: 'layout-shift', buffered: true })</script>`
      const { page } = await open({ body, head })
      await page.evaluate(() => document.querySelector('afterword-thread')!.scrollIntoView())
      await page.getByRole('button', { name: 'Write a comment' }).waitFor()
      await page.evaluate(
        () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 300))),
      )
      t.equal(await page.evaluate(() => globalThis.shifts), 0, name)
    }
  })

  t.test('every act is done with the keyboard alone', async (t) => {
    const { page } = await open({ body: tag('all', 'keys') })
    await page.getByText('Below').waitFor()
    const focused = () =>
      page.evaluate(
        () => document.querySelector('afterword-thread')!.shadowRoot!.activeElement?.id ?? '',
      )
    await page.evaluate((id) => {
      location.hash = id
    }, `#${root}`)
    await page.waitForFunction(
      (id) => document.querySelector('afterword-thread')!.shadowRoot!.activeElement?.id === id,
      root,
    )
    await page.keyboard.press('j')
    await page.waitForTimeout(50)
    t.not(await focused(), root)
    await page.keyboard.press('u')
    await page.waitForTimeout(50)
    t.equal(await focused(), root)
    await page.keyboard.press('r')
    // The editor is shown before it has the focus.
    await page.waitForFunction(
      () =>
        document.querySelector('afterword-thread')!.shadowRoot!.activeElement?.tagName ===
        'TEXTAREA',
    )
    await page.keyboard.type('jkur')
    t.equal(await page.getByLabel('Comment', { exact: true }).inputValue(), 'jkur')
  })
})
