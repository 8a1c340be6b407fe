import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { DEMO_ARTICLE } from '../src/http/service/welcome.ts'
import { openBrowser } from '../test/browser.ts'
import { createDataDir, start } from '../test/start.ts'

/** Writes the pictures of the documentation into `docs/img`, from the demo of a service of its own. */

const ROOT = join(import.meta.dirname, '..')
const KEY = 'a'.repeat(32)

type Picture = {
  readonly name: string
  readonly width: number
  readonly height: number
  readonly colorScheme: 'light' | 'dark'
  readonly article?: string
  /** The attributes of the page's root. */
  readonly root?: string
}

const ARABIC = 'demo-ar'
const PICTURES: readonly Picture[] = [
  { name: 'light', width: 720, height: 560, colorScheme: 'light' },
  { name: 'dark', width: 720, height: 560, colorScheme: 'dark' },
  { name: 'narrow', width: 320, height: 640, colorScheme: 'light' },
  {
    name: 'right-to-left',
    width: 720,
    height: 360,
    colorScheme: 'light',
    article: ARABIC,
    root: 'lang="ar" dir="rtl"',
  },
]

const ARABIC_THREAD = [
  { name: 'قارئة', body: 'المكان **الشمالي** أقرب إلى المدرسة، والطريق إليه أقصر.' },
  { name: 'جار', body: 'هذا سبب جيد، لكن الأرض هناك رخوة.' },
]

const postArabic = async (address: string): Promise<void> => {
  let parent: string | undefined
  for (const { name, body } of ARABIC_THREAD) {
    const answer = await fetch(`${address}/v1/sites/default/articles/${ARABIC}/comments`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ body, author: { name }, ...(parent && { parent_id: parent }) }),
    })
    parent = (await answer.json()).id
  }
}

const runDemo = async (address: string): Promise<void> => {
  const env = { ...process.env, AFTERWORD_ADMIN_KEY: KEY }
  const args = [join(ROOT, 'scripts/demo.ts'), '--url', address]
  const [code] = await once(spawn(process.execPath, args, { env, stdio: 'inherit' }), 'exit')
  if (code !== 0) throw new Error('the demo was not posted')
}

const take = async (browser: Browser, address: string, picture: Picture): Promise<void> => {
  const { name, width, height, colorScheme, article = DEMO_ARTICLE, root = 'lang="en"' } = picture
  const context = await browser.newContext({ viewport: { width, height }, colorScheme })
  const page = await context.newPage()
  await page.route(`${address}/`, async (route) => {
    const response = await route.fetch()
    const html = (await response.text())
      .replace('<html lang="en">', `<html ${root}>`)
      .replace(`article="${DEMO_ARTICLE}"`, `article="${article}"`)
    await route.fulfill({ response, body: html })
  })
  await page.goto(`${address}/`)
  const thread = page.locator('afterword-thread')
  await thread.scrollIntoViewIfNeeded()
  await thread.locator('article').first().waitFor()
  await thread.evaluate((tag) => tag.scrollIntoView())
  await page.waitForLoadState('networkidle')
  await page.screenshot({ path: join(ROOT, `docs/img/${name}.png`) })
  await context.close()
}

const teardowns: (() => unknown)[] = []
const ending = { teardown: (callback: () => unknown) => void teardowns.push(callback) }
try {
  const service = start(ending, {
    AFTERWORD_DATA: createDataDir(ending),
    AFTERWORD_ADMIN_KEY: KEY,
  })
  const address = await service.ready()
  await runDemo(address)
  await postArabic(address)
  mkdirSync(join(ROOT, 'docs/img'), { recursive: true })
  const browser = await openBrowser(ending)
  for (const picture of PICTURES) await take(browser, address, picture)
  await browser.close()
  await service.stop()
} finally {
  for (const teardown of teardowns.reverse()) await teardown()
}
