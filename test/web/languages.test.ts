import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Page } from 'playwright-core'
import t from 'tap'
import { createTexts, type Texts } from '../../web/embed/texts.ts'
import { skipWithoutBrowser } from '../browser.ts'
import { runs } from '../lengths.ts'
import { openSignOn, signToken } from '../members.ts'
import type { TestService } from '../service.ts'
import { openSite, strictPolicy } from './pages.ts'

/** The widget in every language: what a reader sees and hears of it is in that language. */

const FOLDER = join(import.meta.dirname, '../../web/embed/messages')
type Messages = Record<string, string>
const read = (lang: string): Messages =>
  JSON.parse(readFileSync(join(FOLDER, `${lang}.json`), 'utf8'))

const ENGLISH = read('en')
/** Arabic is the first: it has the most plural forms, and is written from right to left. */
const LANGUAGES = globSync('*.json', { cwd: FOLDER })
  .map((path) => basename(path, '.json'))
  .filter((lang) => lang !== 'en')
  .sort()

/** Matches every text that the sentence can become. */
const patternOf = (sentence: string): RegExp => {
  const parts = sentence.split(/\{\w+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.+')}$`)
}

/** The English sentences that a text of the page can be in no other language. */
const leftIn = (texts: readonly string[], messages: Messages): string[] => {
  const own = new Set(Object.values(messages))
  const foreign = Object.values(ENGLISH)
    .filter((sentence) => !own.has(sentence) && !/^\{\w+\}$/.test(sentence))
    .map(patternOf)
  return texts.filter((text) => foreign.some((pattern) => pattern.test(text)))
}

/** All that the tags show or tell a screen reader, in pieces as small as a sentence. */
const textsOf = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const found: string[] = []
    const walk = (node: Node): void => {
      if (node instanceof Text) found.push(node.data)
      if (node instanceof Element)
        for (const name of ['aria-label', 'title', 'placeholder'])
          found.push(node.getAttribute(name) ?? '')
      for (const child of node.childNodes) walk(child)
    }
    for (const host of document.querySelectorAll('[site]')) walk(host.shadowRoot ?? host)
    return [
      ...new Set(found.flatMap((text) => [text, ...text.split(',')]).map((text) => text.trim())),
    ]
  })

/** A thread of texts that are in no language, with everything that a comment can show. */
const seed = async (service: TestService): Promise<void> => {
  const token = await signToken({ sub: 'm', name: '4711', role: 'moderator' })
  const author = { name: '0815' }
  const root = await service.post('1', '123 456', { author })
  const reply = await service.post('1', '456 789', { parent_id: root.id }, { token })
  await service.post('1', '789 000', { parent_id: reply.id, author })
  const removed = await service.post('1', '000 000', { author })
  await service.post('1', '111 111', { parent_id: removed.id, author })
  const act = async (method: string, path: string, body?: object) => {
    const options = { token: service.adminKey, ...(body && { body }) }
    const { status, text } = await service.call(method, `/v1/sites/default${path}`, options)
    if (status >= 300) throw new Error(text)
  }
  await service.decide(removed.id, 'approved', 'rejected')
  await act('PUT', `/comments/${root.id}/pin`, { pinned: true })
  await act('PUT', `/comments/${root.id}/lock`, { locked: true })
  await act('PATCH', '/articles/1', { title: '2026', url: 'https://a.example/1' })
  await act('PATCH', '/members/m', { name: '4711', roles: ['moderator'], listed: true })
}

const TAGS = `<afterword-thread site="default" article="1" sort="oldest"></afterword-thread>
<afterword-recent site="default"></afterword-recent>
<afterword-staff site="default"></afterword-staff>
<p><afterword-count site="default" article="1" format="text"></afterword-count></p>`

/** Opens what a reader can open, by the names that it has in the language. */
const openAll = async (page: Page, t: Texts): Promise<void> => {
  const button = (name: string) => page.getByRole('button', { name, exact: true })
  await button(t('write')).click()
  await button(t('post')).click()
  await page.getByText(t('required')).first().waitFor()
  await button(t('preview')).click()
  await button(t('code_enter')).click()
  await button(t('code_use')).waitFor()
  await button(t('actions')).first().click()
  await button(t('report')).first().click()
  await page.getByLabel(t('report_note')).waitFor()
  await button(t('collapse')).last().click()
  await button(t('expand', { n: 1 })).waitFor()
}

t.test('the widget in every language', { skip: skipWithoutBrowser }, async (t) => {
  const { service, base, open } = await openSite(t)
  await openSignOn(service)
  await seed(service)

  for (const lang of LANGUAGES.slice(0, runs(1, LANGUAGES.length)))
    t.test(`a page in ${lang}`, async (t) => {
      const messages = read(lang)
      const say = createTexts(lang, messages)
      const { page, complaints } = await open({ body: `<main lang="${lang}">${TAGS}</main>` })
      await page.getByRole('heading', { name: say('count_on', { n: 4, title: '2026' }) }).waitFor()
      await page.getByRole('heading', { name: say('recent') }).waitFor()
      await page.getByRole('heading', { name: say('moderators') }).waitFor()
      await page.getByText(say('count', { n: 4 }), { exact: true }).waitFor()
      for (const key of ['pinned', 'locked', 'removed', 'role.moderator', 'sort.oldest'])
        t.ok((await textsOf(page)).includes(say(key)), key)
      await openAll(page, say)
      t.same(leftIn(await textsOf(page), messages), [])

      const drawn = await page.evaluate(() =>
        [...document.querySelectorAll('afterword-thread, afterword-recent, afterword-staff')].map(
          (host) => {
            const top = host.shadowRoot!.querySelector<HTMLElement>('[lang]')!
            return [top.lang, getComputedStyle(top).direction]
          },
        ),
      )
      const direction = ['ar', 'he'].includes(lang) ? 'rtl' : 'ltr'
      t.same(drawn, Array(3).fill([lang, direction]))
      t.same(complaints, [])
      await page.context().close()
    })

  t.test(
    'a language that the widget does not speak is English, and its comments are not',
    async (t) => {
      const { page } = await open({ body: `<main lang="fi">${TAGS}</main>` })
      await page.getByRole('heading', { name: '4 Comments on “2026”' }).waitFor()
      const langs = await page.evaluate(() => {
        const { shadowRoot } = document.querySelector('afterword-thread')!
        return ['section', '.body'].map(
          (name) => shadowRoot!.querySelector<HTMLElement>(name)!.lang,
        )
      })
      t.same(langs, ['en', 'fi'])
      t.ok(leftIn(await textsOf(page), {}).length > 10, 'what other languages must not show')
      await page.context().close()
    },
  )

  t.test('a page that writes its language with an underscore is understood', async (t) => {
    const { page } = await open({ body: `<main lang="pt_BR">${TAGS}</main>` })
    await page.getByRole('heading', { name: '4 comentários em “2026”' }).waitFor()
    t.pass()
    await page.context().close()
  })

  t.test('a page without a language, or with none that exists, has that of the site', async (t) => {
    const language = (language: string | null) => service.changeSite({ language })
    await language('de-AT')
    for (const root of ['', 'lang="no language"']) {
      const { page, complaints } = await open({ root, body: TAGS })
      await page.getByRole('heading', { name: '4 Kommentare zu „2026“' }).waitFor()
      await page.getByRole('heading', { name: 'Neueste Kommentare' }).waitFor()
      await page.getByText('4 Kommentare', { exact: true }).waitFor()
      t.same(complaints, [])
      await page.context().close()
    }
    await language(null)
    const { page } = await open({ root: '', body: TAGS })
    await page.getByRole('heading', { name: '4 Comments on “2026”' }).waitFor()
    await page.context().close()
  })

  t.test('a page brings a language of its own in a file', async (t) => {
    const sentences = { 'count_on.other': '{n} kommenttia: ”{title}”', write: 'Kirjoita kommentti' }
    const body = `<main lang="fi">${TAGS.replaceAll('article="1"', 'article="1" messages="/fi.json"')}</main>`
    const { page, complaints } = await open({
      body,
      files: { '/fi.json': JSON.stringify(sentences) },
      policy: strictPolicy(base).replace('connect-src', "connect-src 'self'"),
    })
    await page.getByRole('heading', { name: '4 kommenttia: ”2026”' }).waitFor()
    await page.getByRole('button', { name: 'Kirjoita kommentti' }).waitFor()
    await page.getByRole('button', { name: 'Reply' }).first().waitFor()
    t.same(complaints, [])
    await page.context().close()
  })
})
