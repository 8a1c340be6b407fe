import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import type {} from '../../web/embed/embed.d.ts'
import { openBrowser } from '../browser.ts'
import { listen } from '../http/sockets.ts'
import { openService, type ServiceOptions, type TestService } from '../service.ts'

declare global {
  /** Names that tests give to values of their pages. */
  var shifts: number
  var heard: string[]
  var giveToken: () => Promise<string>
}

type TestOfPages = {
  readonly teardown: (callback: () => unknown) => void
  readonly passing: () => boolean
}

/** The strictest policy under which the widget must work: nothing but its own origin, and Trusted Types. */
export const strictPolicy = (service: string, trustedTypes = "'none'"): string =>
  [
    "default-src 'none'",
    "script-src 'nonce-n' 'strict-dynamic'",
    `connect-src ${service}`,
    `img-src ${service}`,
    "style-src 'nonce-n'",
    "require-trusted-types-for 'script'",
    `trusted-types ${trustedTypes}`,
  ].join('; ')

const GIVE_UP_MS = 10_000

/** The one line of page CSS that the tag to copy contains. */
const RESERVE = 'afterword-thread{display:block;min-block-size:100svh}'

export type PageOptions = {
  /** What the page contains; the default is one thread. */
  readonly body?: string
  readonly head?: string
  /** The attributes of the root; the default is the language. */
  readonly root?: string
  /** Other files of the page's origin by their path. */
  readonly files?: Readonly<Record<string, string>>
  readonly policy?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly hash?: string
  readonly viewport?: { width: number; height: number }
  /** Chromium's context: the colours, the language, the reduced motion. */
  readonly context?: Parameters<Browser['newContext']>[0]
}

export type OpenPage = {
  readonly page: Page
  /** The requests to the service, such as `GET /embed.js`, in their order. */
  readonly requests: string[]
  /** What the browser said: errors, refused loads and uncaught exceptions. */
  readonly complaints: string[]
  /** The origin of the page. */
  readonly origin: string
}

export type Site = {
  readonly service: TestService
  readonly base: string
  readonly browser: Browser
  readonly open: (options?: PageOptions) => Promise<OpenPage>
}

/** A service, and pages of another origin that include its widget, in a real browser. */
export const openSite = async (t: TestOfPages, options: ServiceOptions = {}): Promise<Site> => {
  const service = await openService(t, options)
  const base = `http://127.0.0.1:${await listen(service.app)}`
  const browser = await openBrowser(t)
  const open = async (wanted: PageOptions = {}): Promise<OpenPage> => {
    const { body = '<afterword-thread article="a"></afterword-thread>', head = '' } = wanted
    const { root = 'lang="en"', files = {} } = wanted
    const html = `<!doctype html><html ${root}><head><meta charset="utf-8"><title>An article</title>
<style nonce="n">${RESERVE}</style>${head}
<script type="module" nonce="n" src="${base}/embed.js" async></script></head>
<body><h1>An article</h1>${body}<footer>The end</footer></body></html>`
    const server = createServer(({ url = '/' }, answer) => {
      answer.setHeader('content-type', 'text/html; charset=utf-8')
      answer.setHeader('content-security-policy', wanted.policy ?? strictPolicy(base))
      for (const [name, value] of Object.entries(wanted.headers ?? {}))
        answer.setHeader(name, value)
      answer.end(files[url] ?? html)
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const context = await browser.newContext({
      ...wanted.context,
      ...(wanted.viewport && { viewport: wanted.viewport }),
    })
    t.teardown(async () => {
      if (!t.passing()) await tell({ page, requests, complaints })
      await context.close()
      server.closeAllConnections()
      server.close()
    })
    const page = await context.newPage()
    page.setDefaultTimeout(GIVE_UP_MS)
    const requests: string[] = []
    const complaints: string[] = []
    page.on('request', (request) => {
      if (request.url().startsWith(base))
        requests.push(`${request.method()} ${request.url().slice(base.length)}`)
    })
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(String(error)))
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    await page.goto(`${origin}/${wanted.hash ?? ''}`)
    return { page, requests, complaints, origin }
  }
  return { service, base, browser, open }
}

/** Says what a page shows and has done after a failed test. */
const tell = async ({ page, requests, complaints }: Omit<OpenPage, 'origin'>): Promise<void> => {
  const shown = await page.locator('body').ariaSnapshot()
  console.error([page.url(), shown, ...requests, ...complaints].join('\n'))
}
