import { sql } from 'kysely'
import t from 'tap'
import { skipWithoutBrowser } from '../browser.ts'
import type { TestService } from '../service.ts'
import { openSite, strictPolicy } from '../web/pages.ts'

const skip = skipWithoutBrowser

/** Posts a chain of replies and returns their ids, the root first. */
const postChain = async (service: TestService, article: string, depth: number) => {
  const ids: string[] = []
  for (let n = 1; n <= depth; n++) {
    const parent = ids.at(-1)
    const more = { author: { name: `Ada ${n}` }, ...(parent && { parent_id: parent }) }
    ids.push((await service.post(article, `Depth-${n}`, more)).id)
  }
  return ids
}

/** Every fifth comment is a root, with four replies. */
const seedThread = async ({ db }: TestService, article: string, count: number): Promise<void> => {
  await sql`
    with author as (insert into authors (site_id, name) values (1, 'Ada') returning id),
    thread as (
      insert into threads (site_id, article_id, version, comment_count, last_comment_at)
      values (1, ${article}, 1, ${count}, timestamptz '2026-01-01' + ${count} * interval '1 minute')
      returning id
    ),
    first as (select coalesce(max(id), 0) + 1000 as id from comments),
    planned as (
      select first.id + n as id, thread.id as thread_id, author.id as author_id,
        case when n % 5 = 0 then 0 else first.id + n - n % 5 end as parent_id,
        case when n % 5 = 0 then 4 else 0 end as replies,
        timestamptz '2026-01-01' + n * interval '1 minute' as time
      from generate_series(0, ${count} - 1) n, author, thread, first
    ),
    stored as (
      insert into comments (id, site_id, thread_id, parent_id, depth, author_id, status, created_at,
        published_at, body, body_html, renderer)
      overriding system value
      select id, 1, thread_id, parent_id, sign(parent_id), author_id, 'approved', time, time,
        'Some words', '<p>Some words</p>', 1
      from planned
    )
    insert into comment_tallies (site_id, thread_id, comment_id, parent_id, created_at, is_visible,
      reply_count, active_at)
    select 1, thread_id, id, parent_id, time, true, replies, time + replies * interval '1 minute'
    from planned`.execute(db)
}

const tag = (article: string, more = '') =>
  `<afterword-thread article="${article}" ${more}></afterword-thread>`

t.test('the tag of a thread in a browser', { skip }, async (t) => {
  const { service, base, open } = await openSite(t)

  t.test('a reader sees the comments of the article under the strictest policy', async (t) => {
    const root = await service.post('a', 'First, **really**!')
    await service.post('a', 'And second.', { parent_id: root.id, author: { name: 'Grace' } })
    for (const trustedTypes of ["'none'", 'afterword', "'allow-duplicates' other"]) {
      const policy = strictPolicy(base, trustedTypes)
      const { page, requests, complaints } = await open({ policy })
      await page.getByRole('heading', { name: '2 Comments' }).waitFor()
      await page.getByRole('heading', { name: /^Ada ?, level 1$/ }).waitFor()
      await page.getByRole('heading', { name: /^Grace ?, reply to Ada, level 2$/ }).waitFor()
      t.equal(await page.locator('.body strong').textContent(), 'really')
      t.same(complaints, [], trustedTypes)
      const api = requests.filter((request) => request.includes('/v1/sites'))
      t.same(api, ['GET /v1/sites/default/articles/a/comments?include=config%2Cstaff'])
      await page.context().close()
    }
  })

  t.test('a reader loads what a page left out, at every level', async (t) => {
    const [root] = await postChain(service, 'long', 6)
    for (let n = 1; n <= 5; n++) await service.post('long', `Root ${n}`)
    for (let n = 1; n <= 5; n++) await service.post('long', `Reply ${n}`, { parent_id: root })
    const { page } = await open({ body: tag('long', 'limit="3" replies="2"') })
    await page.getByRole('button', { name: 'Load more comments' }).click()
    await page.getByText('Depth-1').waitFor()
    await page.getByRole('status').filter({ hasText: '3 more comments shown' }).waitFor()
    const focused = page.locator('article:focus')
    t.match(await focused.textContent(), /Root 2/, 'the focus is on the first new comment')
    const more = page.getByRole('button', { name: /more repl/ })
    for (; (await more.count()) > 0; await page.waitForTimeout(50))
      await more
        .first()
        .click({ timeout: 1_000 })
        .catch(() => {})
    for (let n = 1; n <= 6; n++) t.equal(await page.getByText(`Depth-${n}`).count(), 1)
    for (let n = 1; n <= 5; n++) t.equal(await page.getByText(`Reply ${n}`).count(), 1)
    t.equal(await page.getByRole('article').count(), 16)
  })

  t.test('a reader chooses another order and hides replies', async (t) => {
    const first = await service.post('sorted', 'Oldest')
    await service.post('sorted', 'Below', { parent_id: first.id })
    await service.post('sorted', 'Newest')
    const { page } = await open({ body: tag('sorted') })
    const bodies = () => page.locator('.body').filter({ visible: true }).allTextContents()
    await page.getByText('Newest', { exact: true }).last().waitFor()
    t.same(await bodies(), ['Newest\n', 'Oldest\n', 'Below\n'])
    await page.getByLabel('Order').selectOption('oldest')
    await page.locator('li:first-child .body', { hasText: 'Oldest' }).waitFor()
    t.same(await bodies(), ['Oldest\n', 'Below\n', 'Newest\n'])
    await page.getByRole('button', { name: 'Hide replies' }).click()
    await page.getByRole('button', { name: 'Show 1 reply' }).waitFor()
    t.same(await bodies(), ['Oldest\n', 'Newest\n'])
    await page.reload()
    await page.getByRole('button', { name: 'Show 1 reply' }).waitFor()
  })

  t.test('the link to a comment shows it, however deep it is', async (t) => {
    const ids = await postChain(service, 'deep', 8)
    const { page, requests } = await open({ body: tag('deep'), hash: `#${ids[7]}` })
    await page.getByText('Depth-8').waitFor()
    await page.waitForFunction(
      (id) => document.querySelector('afterword-thread')!.shadowRoot!.activeElement?.id === id,
      ids[7],
    )
    t.equal(requests.filter((request) => request.includes('/v1/sites')).length, 1)
  })

  t.test('the link to a removed comment shows the thread and says so', async (t) => {
    await service.post('gone', 'Still here')
    const { page } = await open({ body: tag('gone'), hash: `#c${'x'.repeat(22)}` })
    await page.getByText('Still here').waitFor()
    const sentence = page.getByText('That comment is no longer here.')
    await sentence.waitFor()
    await page.waitForFunction(
      () => document.querySelector('afterword-thread')!.shadowRoot!.activeElement?.id === 'gone',
    )
    t.pass()
  })

  t.test('a removed comment with replies keeps its place', async (t) => {
    const [first, second] = await postChain(service, 'tomb', 2)
    await service.decide(first!, 'approved', 'rejected')
    const { page } = await open({ body: tag('tomb') })
    await page.getByRole('heading', { name: /This comment was removed/ }).waitFor()
    await page.getByRole('heading', { name: /reply to a removed comment, level 2/ }).waitFor()
    t.ok(second)
  })

  t.test('a thread without comments invites to write', async (t) => {
    const { page } = await open({ body: tag('empty') })
    await page.getByText('No comments yet.').waitFor()
    await page.getByRole('button', { name: 'Write a comment' }).waitFor()
    t.pass()
  })

  t.test('closed and locked threads say so and offer no form', async (t) => {
    const sentences = { closed: 'Comments are closed.', locked: 'This thread is locked.' }
    for (const [state, sentence] of Object.entries(sentences)) {
      await service.post(state, 'Before')
      await service.call('PATCH', `/v1/sites/default/articles/${state}`, {
        token: service.adminKey,
        body: { state },
      })
      const { page } = await open({ body: tag(state) })
      await page.getByText(sentence).waitFor()
      t.equal(await page.getByRole('button', { name: 'Write a comment' }).count(), 0)
      t.equal(await page.getByRole('button', { name: 'Reply' }).count(), 0)
    }
  })

  t.test('a thread that closed by its date says when', async (t) => {
    await service.post('dated', 'Before')
    await service.call('PATCH', '/v1/sites/default/articles/dated', {
      token: service.adminKey,
      body: { closes_at: '2026-03-01T12:00:00Z' },
    })
    const { page } = await open({ body: tag('dated') })
    await page.getByText('Comments closed on March 1, 2026.').waitFor()
    t.equal(await page.getByRole('button', { name: 'Write a comment' }).count(), 0)
  })

  t.test('a frame shows the thread, and so does a frame without an origin', async (t) => {
    await service.post('framed', 'In a frame')
    const body = `<iframe id="a" src="/frame"></iframe><iframe id="b" src="/frame" sandbox="allow-scripts"></iframe>`
    const frame = `<!doctype html><title>A frame</title>
<script type="module" nonce="n" src="${base}/embed.js"></script>${tag('framed')}`
    const policy = `${strictPolicy(base)}; frame-src 'self'`
    const { page, complaints } = await open({ body, policy, files: { '/frame': frame } })
    for (const id of ['a', 'b']) await page.frameLocator(`#${id}`).getByText('In a frame').waitFor()
    t.same(complaints, [])
  })

  t.test('a thread of 5,000 comments begins as one of 50', async (t) => {
    await seedThread(service, 'c50', 50)
    await seedThread(service, 'c5000', 5_000)
    const view = async (article: string) => {
      const { page, requests } = await open({ body: tag(article, 'limit="10"') })
      await page.getByRole('heading', { name: /Comments/ }).waitFor()
      await page.getByRole('article').nth(39).waitFor()
      const ms = await page.evaluate(() => performance.now())
      const articles = await page.getByRole('article').count()
      await page.context().close()
      return { ms, articles, api: requests.filter((request) => request.includes('/sites/')).length }
    }
    const times = { c50: [] as number[], c5000: [] as number[] }
    for (let run = 0; run < 4; run++)
      for (const article of ['c50', 'c5000'] as const) {
        const { ms, articles, api } = await view(article)
        t.same({ articles, api }, { articles: 40, api: 1 })
        times[article].push(ms)
      }
    const ratio = Math.min(...times.c5000) / Math.min(...times.c50)
    t.comment(
      `time to the last comment of the first view: ${ratio.toFixed(2)} of that of 50 comments`,
    )
  })

  t.test('a thread far below starts when it comes near the screen', async (t) => {
    await service.post('far', 'Down here')
    const body = `<div id="far"></div>${tag('far')}`
    const head = '<style nonce="n">#far{block-size:6000px}</style>'
    const { page, requests } = await open({ body, head })
    await page.waitForFunction(() => customElements.get('afterword-thread') !== undefined)
    t.same(requests, ['GET /embed.js'])
    await page.evaluate(() => document.querySelector('afterword-thread')!.scrollIntoView())
    await page.getByText('Down here').waitFor()
  })

  t.test('two tags of one page show two threads, and one tag can change its article', async (t) => {
    await service.post('one', 'In one')
    await service.post('two', 'In two')
    const body = tag('one', 'loading="eager"') + tag('two', 'loading="eager"')
    const { page } = await open({ body })
    await page.getByText('In one').waitFor()
    await page.getByText('In two').waitFor()
    await page.evaluate(() => {
      document.querySelector('afterword-thread')!.article = 'two'
    })
    await page.getByText('In two').nth(1).waitFor()
    t.equal(await page.getByText('In one').count(), 0)
  })

  t.test('a tag that a framework moves keeps its comments and its text', async (t) => {
    await service.post('moved', 'Stays')
    const { page, requests } = await open({ body: `${tag('moved')}<main></main>` })
    await page.getByText('Stays').waitFor()
    await page.getByRole('button', { name: 'Write a comment' }).click()
    await page.getByLabel('Comment', { exact: true }).fill('half a sentence')
    await page.evaluate(() =>
      document.querySelector('main')!.append(document.querySelector('afterword-thread')!),
    )
    await page.waitForTimeout(100)
    t.equal(await page.getByLabel('Comment', { exact: true }).inputValue(), 'half a sentence')
    t.equal(requests.filter((request) => request.includes('/comments')).length, 1)
  })

  t.test('a tag that leaves the page leaves no listener behind', async (t) => {
    await service.post('left', 'Here')
    const { page, requests } = await open({ body: tag('left') })
    await page.getByText('Here').waitFor()
    await page.evaluate(() => document.querySelector('afterword-thread')!.remove())
    await page.evaluate(
      (id) => {
        location.hash = id
      },
      `#c${'y'.repeat(22)}`,
    )
    await page.waitForTimeout(100)
    t.equal(requests.filter((request) => request.includes('/comments')).length, 1)
  })

  t.test('comments that the page contains are taken over without a request', async (t) => {
    await service.post('written', 'From the server')
    const { text } = await service.get('/articles/written/comments.html')
    const html = text.replaceAll('http://localhost', base)
    const body = `<afterword-thread article="written">${html}</afterword-thread>`
    const { page, requests, complaints } = await open({ body })
    await page.getByRole('heading', { name: '1 Comment', exact: true }).waitFor()
    await page.getByRole('button', { name: 'Write a comment' }).waitFor()
    t.equal(await page.getByText('From the server').filter({ visible: true }).count(), 1)
    t.same(
      requests.filter((request) => request.includes('/comments?')),
      [],
    )
    t.same(complaints, [])
  })

  t.test('a page that is isolated from other origins shows comments and pictures', async (t) => {
    await service.post('isolated', 'Isolated')
    const headers = {
      'cross-origin-embedder-policy': 'require-corp',
      'cross-origin-opener-policy': 'same-origin',
    }
    const { page, complaints } = await open({ body: tag('isolated'), headers })
    await page.getByText('Isolated').waitFor()
    await page.waitForFunction(() => {
      const image = document.querySelector('afterword-thread')!.shadowRoot!.querySelector('img')
      return image && image.naturalWidth > 0
    })
    t.ok(await page.evaluate(() => crossOriginIsolated))
    t.same(complaints, [])
  })

  t.test('a page that broke fetch after the loader ran still shows comments', async (t) => {
    await service.post('broken', 'Still shown')
    const { page } = await open({ body: '' })
    await page.waitForFunction(() => customElements.get('afterword-thread') !== undefined)
    await page.evaluate(() => {
      globalThis.fetch = () => Promise.reject(new Error('broken by the page'))
      const made = document.createElement('afterword-thread')
      made.setAttribute('article', 'broken')
      document.body.prepend(made)
    })
    await page.getByText('Still shown').waitFor()
    t.pass()
  })

  t.test('a reader tries again after a failure of the service', async (t) => {
    await service.post('failing', 'Back again')
    const { page } = await open({ body: '' })
    let failures = 0
    const isAway = () => failures++ < 4
    await page.route('**/articles/failing/comments*', (route) =>
      isAway() ? route.fulfill({ status: 503, headers: { 'retry-after': '0' } }) : route.continue(),
    )
    await page.evaluate(() => {
      document.body.insertAdjacentElement('beforeend', document.createElement('afterword-thread'))
      document.querySelector('afterword-thread')!.setAttribute('article', 'failing')
    })
    await page.getByText('Comments cannot be shown right now.').waitFor()
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByText('Back again').waitFor()
    t.pass()
  })
})
