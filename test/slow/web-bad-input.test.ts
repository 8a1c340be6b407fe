import type { Page } from 'playwright-core'
import t from 'tap'
import { skipWithoutBrowser } from '../browser.ts'
import { openSite, type Site } from '../web/pages.ts'
import { hostileInput } from './hostile-input.ts'

/** Hostile texts, names and titles through the whole widget, in a page whose policy would let them run. */
const NO_POLICY = "object-src 'none'"
const PER_PAGE = 100
const WIDTHS = [320, 1280]
/** Quiet buttons reach out of the tag by their padding, so that their texts line up with the others. */
const PADDING = 8

type Entry = { readonly id: string; readonly html: string; readonly name: string }

const PER_CHAIN = 4

/** Posts texts under names to one article, in chains of replies. @returns what the service took */
const postAll = async (
  { service }: Site,
  article: string,
  texts: readonly string[],
  names: readonly string[],
): Promise<Entry[]> => {
  const entries: Entry[] = []
  const post = (body: string, name: string, parent: string | undefined) =>
    service.call('POST', `/v1/sites/default/articles/${article}/comments`, {
      body: { body, author: { name }, ...(parent && { parent_id: parent }) },
    })
  const postChain = async (begin: number) => {
    let parent: string | undefined
    for (const [n, text] of texts.slice(begin, begin + PER_CHAIN).entries()) {
      const first = await post(text, names[(begin + n) % names.length]!, parent)
      const { status, body } = first.status === 201 ? first : await post(text, 'Ada', parent)
      if (status !== 201) continue
      entries.push({ id: body.id, html: body.body_html, name: body.author.name })
      parent = body.id
    }
  }
  const begins = Array.from(
    { length: Math.ceil(texts.length / PER_CHAIN) },
    (_, n) => n * PER_CHAIN,
  )
  await Promise.all(begins.map(postChain))
  return entries
}

/** Runs in the page: how the widget shows the comments, and what sticks out. */
const look = (entries: readonly Entry[]): string[] => {
  const faults: string[] = []
  const host = document.querySelector('afterword-thread')!
  const root = host.shadowRoot!
  const parse = (html: string) => new DOMParser().parseFromString(`<body>${html}`, 'text/html').body
  const isAddress = (text: string) => /^(https?:|mailto:|#|\/)/i.test(text)
  for (const { id, html, name } of entries) {
    const article = root.getElementById(id)
    if (!article) {
      faults.push(`${id} is not shown`)
      continue
    }
    if (article.querySelector('.body')!.innerHTML !== parse(html).innerHTML)
      faults.push(`${id} has another text: ${html}`)
    if (article.querySelector('.author bdi')!.textContent !== name)
      faults.push(`${id} has another name: ${name}`)
  }
  const known =
    /^(article|section|div|h[1-6]|ol|ul|li|p|a|span|bdi|time|button|img|select|option|label|slot|svg|path|br|hr|em|strong|del|code|pre|blockquote|details|summary|form|textarea|input|style)$/
  for (const element of root.querySelectorAll('*')) {
    if (!known.test(element.localName)) faults.push(`<${element.localName}>`)
    for (const { name, value } of element.attributes)
      if (
        name.startsWith('on') ||
        (/^(href|src|action|formaction)$/.test(name) && !isAddress(value))
      )
        faults.push(`<${element.localName} ${name}="${value}">`)
  }
  return faults
}

/** Runs in the page: whether anything makes it wider, or lies outside the tag. */
const measure = (padding: number): string[] => {
  const { scrollWidth, clientWidth } = document.documentElement
  const faults = scrollWidth > clientWidth ? [`the page is ${scrollWidth} wide`] : []
  const host = document.querySelector('afterword-thread')!
  const box = host.getBoundingClientRect()
  for (const element of host.shadowRoot!.querySelectorAll('*')) {
    // Code scrolls within its own box. Text for screen readers has no place.
    if (element.closest('pre > *, .hidden')) continue
    const { left, right, top, bottom, width } = element.getBoundingClientRect()
    if (width === 0) continue
    if (
      left < box.left - padding ||
      right > box.right + padding ||
      top < box.top - 1 ||
      bottom > box.bottom + 1
    )
      faults.push(
        `<${element.localName} class="${element.className}"> from ${left} to ${right}: ${element.textContent!.slice(0, 80)}`,
      )
  }
  return faults
}

/** Everything that a script of a comment could do in this page is noted. */
const watch = async (page: Page, origins: string[]) => {
  const seen: string[] = []
  page.on('dialog', (dialog) => {
    seen.push(`a dialog says ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('pageerror', (error) => seen.push(String(error)))
  page.on('request', (request) => {
    if (!origins.some((origin) => request.url().startsWith(`${origin}/`)))
      seen.push(`a request to ${request.url()}`)
  })
  page.on('popup', (popup) => seen.push(`a window of ${popup.url()}`))
  return seen
}

t.test('hostile input in the widget', { skip: skipWithoutBrowser }, async (t) => {
  const site = await openSite(t)
  const { texts, names } = hostileInput()
  t.ok(texts.length > 900, `${texts.length} texts`)
  for (let n = 0; n < texts.length; n += PER_PAGE)
    t.test(`texts from ${n + 1} on are text, and stay in their place`, async (t) => {
      const article = `hostile-${n}`
      const given = texts.slice(n, n + PER_PAGE)
      const entries = await postAll(site, article, given, names.slice(n % 400))
      t.ok(entries.length > given.length * 0.8, `${entries.length} of ${given.length} were taken`)
      const title = names[(n / PER_PAGE) % names.length]!
      await site.service.call('PATCH', `/v1/sites/default/articles/${article}`, {
        token: site.service.adminKey,
        body: { title },
      })
      const tags = `<afterword-thread article="${article}" limit="100" replies="50" depth="5"></afterword-thread>
        <afterword-recent limit="20" excerpt="500" loading="eager"></afterword-recent>`
      const { page, origin } = await site.open({
        body: '',
        policy: NO_POLICY,
        viewport: { width: WIDTHS[0]!, height: 800 },
      })
      const seen = await watch(page, [origin, site.base])
      await page.evaluate(
        (html) => document.body.append(document.createRange().createContextualFragment(html)),
        tags,
      )
      await page
        .locator('afterword-thread article')
        .nth(entries.length - 1)
        .waitFor()
      await page.locator('afterword-recent li').first().waitFor()
      t.same(await page.evaluate(look, entries), [], 'each comment is what the service sent')
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 800 })
        t.same(await page.evaluate(measure, PADDING), [], `nothing sticks out at ${width} pixels`)
      }
      t.equal(await page.title(), 'An article')
      t.same(seen, [], 'nothing runs, and nothing is loaded')
      await page.context().close()
    })

  t.test('hostile text in the editor and its preview is text', async (t) => {
    const { page, origin } = await site.open({ policy: NO_POLICY })
    const seen = await watch(page, [origin, site.base])
    await page.getByRole('button', { name: 'Write a comment' }).click()
    for (const text of texts.filter((_, n) => n % 80 === 0 && texts[n]!.trim() !== '')) {
      await page.getByRole('textbox', { name: 'Comment' }).fill(text)
      const answer = page.waitForResponse(/\/preview$/)
      await page.getByRole('button', { name: 'Preview' }).click()
      const { body_html: html = '' } = await (await answer).json()
      await page.waitForFunction((html) => {
        const preview = document
          .querySelector('afterword-thread')!
          .shadowRoot!.querySelector('.preview')
        const { body } = new DOMParser().parseFromString(`<body>${html}`, 'text/html')
        return preview?.innerHTML === body.innerHTML
      }, html)
      await page.getByRole('button', { name: 'Preview' }).click()
    }
    t.same(await page.evaluate(measure, PADDING), [])
    t.same(seen, [], 'nothing runs, and nothing is loaded')
  })
})
