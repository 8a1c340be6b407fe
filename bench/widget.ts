import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { chromium, type Page } from 'playwright-core'
import { buildWidget } from '../src/http/embed/widget.ts'
import type { Branch, Config, FirstPage } from '../web/embed/wire.ts'

/**
 * Measures how long the widget takes to react in a browser whose processor is slowed down:
 *
 *     node bench/widget.ts [--comments 150,500] [--slower 4] [--runs 5]
 *
 * The page, the scripts and the answers come from this process, so that only the browser is measured.
 */

const { values } = parseArgs({
  options: {
    comments: { type: 'string', default: '150,500' },
    slower: { type: 'string', default: '4' },
    runs: { type: 'string', default: '5' },
  },
})

declare global {
  /** What the page observed: the lengths of its long tasks and of the reader's acts. */
  var seen: { tasks: number[]; events: number[] }
}

const REPLIES = 3
const LEVELS = 4

/** As many comments as asked for: roots with three replies per comment, four levels deep. */
const makeThread = (count: number): Omit<FirstPage, 'config'> & { config: Partial<Config> } => {
  let made = 0
  const make = (parent: string | null, depth: number): Branch => {
    made++
    const id = `c${String(made).padStart(22, '0')}`
    const items: Branch[] = []
    if (depth < LEVELS - 1)
      while (items.length < REPLIES && made < count) items.push(make(id, depth + 1))
    const text = `Comment ${made} says what a comment says, in two sentences. This is the second.`
    return {
      id,
      article_id: 'a',
      parent_id: parent,
      depth,
      author: {
        id: `a${made % 40}`,
        name: `Author ${made % 40}`,
        url: null,
        avatar_url: null,
        role: 'reader',
        kind: 'guest',
      },
      body: text,
      body_html: `<p>${text} <em>Really</em>.</p>\n<p>And a <a href="https://a.example">link</a>.</p>\n`,
      status: 'approved',
      revision: 1,
      created_at: '2026-11-01T12:00:00.000Z',
      published_at: '2026-11-01T12:00:00.000Z',
      edited_at: null,
      score: made % 7,
      upvotes: made % 7,
      downvotes: 0,
      pinned: false,
      locked: false,
      reply_count: items.length,
      replies: { items, next_cursor: null, remaining: 0 },
    }
  }
  const items: Branch[] = []
  while (made < count) items.push(make(null, 0))
  return {
    thread: {
      article_id: 'a',
      title: null,
      url: null,
      state: 'open',
      comment_count: count,
      root_count: items.length,
      last_comment_at: null,
      closes_at: null,
      slow_mode_seconds: 0,
      version: 1,
      may_post: 'anyone',
      reason: null,
    },
    items,
    next_cursor: null,
    staff: {},
    config: {
      moderation: 'post',
      who_may_post: 'anyone',
      voting: 'all',
      email_required: false,
      min_body_length: 1,
      max_body_length: 10_000,
      max_name_length: 80,
      login_url: null,
      max_depth: 10,
      flag_reasons: ['spam', 'other'],
      sorts: ['newest', 'oldest'],
      default_sort: 'newest',
    },
  }
}

const serve = async (count: number) => {
  const { files } = await buildWidget()
  const thread = JSON.stringify(makeThread(count))
  const html = `<!doctype html><title>A</title><style>afterword-thread{display:block;min-block-size:100svh}</style>
<script type="module" src="/embed.js"></script><afterword-thread article="a"></afterword-thread>`
  const server = createServer(({ url = '/' }, answer) => {
    const path = url.split('?')[0]!.replace(/^\/(embed\/)?/, '')
    const file = files.get(path)
    const isApi = url.startsWith('/v1/')
    answer.setHeader(
      'content-type',
      file ? 'text/javascript' : isApi ? 'application/json' : 'text/html',
    )
    if (url.includes('/vote')) answer.end('{"score":9}')
    else if (url.includes('/guests')) answer.end('{"guest_token":"g","author":{"name":"Guest"}}')
    else if (url.includes('/viewer'))
      answer.end('{"author":null,"votes":{},"pending":[],"decided":[],"editable":{}}')
    else answer.end(file ?? (isApi ? thread : html))
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return { server, address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` }
}

/** Runs in the page before it: collects interactions, long tasks and the first paint of a comment. */
const observe = `
globalThis.seen = { tasks: [], events: [] }
new PerformanceObserver((l) => { for (const e of l.getEntries()) seen.tasks.push(e.duration) }).observe({ type: 'longtask', buffered: true })
new PerformanceObserver((l) => { for (const e of l.getEntries()) if (e.interactionId) seen.events.push(e.duration) }).observe({ type: 'event', durationThreshold: 16, buffered: true })`

const button =
  (name: string | RegExp, n = 0) =>
  async (page: Page) => {
    const { x, y, width, height } = (await page.getByRole('button', { name }).nth(n).boundingBox())!
    // A click on the locator would let the page check, within the interaction, that the button is on top.
    await page.mouse.click(x + width / 2, y + height / 2)
  }

const ACTS: Record<string, (page: Page) => Promise<void>> = {
  collapse: button('Hide replies'),
  expand: button(/^Show \d+ repl/),
  vote: button('Vote for'),
  actions: button('More actions', 1),
  reply: button('Reply', 2),
  type: (page) => page.keyboard.type('some words'),
}

const settle = (page: Page) =>
  page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 300))),
  )

const measure = async (count: number, slower: number) => {
  const { server, address } = await serve(count)
  const browser = await chromium.launch({
    executablePath: process.env.TEST_CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  })
  const page = await browser.newPage()
  const session = await page.context().newCDPSession(page)
  await session.send('Emulation.setCPUThrottlingRate', { rate: slower })
  await page.addInitScript(observe)
  await page.goto(address)
  await page
    .locator('article')
    .nth(count - 1)
    .waitFor()
  await settle(page)
  const figures: Record<string, number> = {}
  const { tasks, first } = await page.evaluate(() => ({
    tasks: globalThis.seen.tasks,
    first: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0,
  }))
  figures['first paint'] = first
  figures['longest task'] = Math.max(0, ...tasks)
  figures.elements = await page.evaluate(
    () => document.querySelector('afterword-thread')!.shadowRoot!.querySelectorAll('*').length,
  )
  for (const [name, act] of Object.entries(ACTS)) {
    await page.evaluate(() => {
      globalThis.seen.events = []
    })
    await act(page)
    await settle(page)
    figures[name] = await page.evaluate(() => Math.max(0, ...globalThis.seen.events))
  }
  await browser.close()
  server.close()
  return figures
}

/** Prints the result to standard output. */
const print = (text: string): void => void process.stdout.write(`${text}\n`)

for (const count of values.comments.split(',').map(Number)) {
  const all: Record<string, number>[] = []
  for (let run = 0; run < Number(values.runs); run++)
    all.push(await measure(count, Number(values.slower)))
  print(`\n${count} comments, processor ${values.slower} times slower, ms: lowest, median, highest`)
  for (const name of Object.keys(all[0]!)) {
    const sorted = all.map((figures) => figures[name]!).sort((a, b) => a - b)
    const middle = sorted[Math.floor(sorted.length / 2)]!
    const spread = [sorted[0]!, middle, sorted.at(-1)!].map(Math.round).join('  ')
    print(`${name.padEnd(14)} ${spread}`)
  }
}
