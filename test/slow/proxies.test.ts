import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { openBrowser, skipWithoutBrowser } from '../browser.ts'
import { ABSENT } from '../ids.ts'
import { openService } from '../service.ts'
import { findFreePort, until } from '../start.ts'

/** Runs each recipe of docs/proxies.md; only addresses and names are changed. */
const DOC = readFileSync(join(import.meta.dirname, '../../docs/proxies.md'), 'utf8')
const PROXY = '127.0.0.1'
/** A client whom no proxy list trusts. */
const CLIENT = '127.7.7.7'
const MODULES = '/usr/lib/apache2/modules'

type Recipe = {
  binary: string
  language: string
  file: (block: string, folder: string, port: number) => string
  command: (file: string) => string[]
}

const RECIPES: Record<string, Recipe> = {
  nginx: {
    binary: 'nginx',
    language: 'nginx',
    file: (block, folder, port) => `
      daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr; user root;
      events {}
      http {
        access_log off;
        ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join('\n')}
        ${block.replace('listen 8080', `listen ${PROXY}:${port}`)}
      }`,
    command: (file) => ['nginx', '-c', file, '-e', 'stderr'],
  },
  Apache: {
    binary: 'apache2',
    language: 'apache',
    file: (block, folder, port) => `
      ${['mpm_event', 'authz_core', 'proxy', 'proxy_http', 'headers', 'filter', 'deflate'].map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join('\n')}
      ServerRoot ${folder}
      PidFile ${folder}/pid
      ServerName localhost
      ErrorLog "|/bin/cat >&2"
      Listen ${PROXY}:${port}
      ${process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''}
      ${block.replace('*:8080', `*:${port}`)}`,
    command: (file) => ['apache2', '-DFOREGROUND', '-f', file],
  },
  Caddy: {
    binary: 'caddy',
    language: 'caddyfile',
    file: (block, _folder, port) => `{
      admin off
      auto_https off
    }
    ${block.replace(/^[\w.]+\.example\.org/m, `http://:${port}`)}`,
    command: (file) => ['caddy', 'run', '--adapter', 'caddyfile', '--config', file],
  },
}

const isOnPath = (binary: string): boolean =>
  spawnSync('sh', ['-c', `command -v ${binary}`]).status === 0

type Started = { recipe: Recipe; upstream: string; port: number; isUnderPath?: boolean }

const startProxy = async (
  t: Test,
  { recipe, upstream, port, isUnderPath = false }: Started,
): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'afterword-proxy-'))
  chmodSync(folder, 0o755)
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const fence = isUnderPath ? `${recipe.language} path` : recipe.language
  const [, block] = new RegExp(`^\`\`\`${fence}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(DOC)!
  const file = join(folder, 'config')
  writeFileSync(file, recipe.file(block!.replaceAll('127.0.0.1:3000', upstream), folder, port))
  const [command, ...args] = recipe.command(file)
  const env = { PATH: process.env.PATH, HOME: folder, XDG_DATA_HOME: folder }
  const child = spawn(command!, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  t.teardown(() => end(child))
  let said = ''
  child.stderr.on('data', (data) => {
    said += data
  })
  await until('for the proxy', async () => {
    if (child.exitCode !== null) throw new Error(said)
    return send(port, { path: '/' }).catch(() => undefined)
  })
}

const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode === null && child.signalCode === null && child.kill())
    await once(child, 'exit')
}

type Sent = { method?: string; path: string; headers?: Record<string, string>; body?: string }
type Answer = { status: number; headers: IncomingHttpHeaders; text: string }

/** With the path exactly as it is given: fetch would tidy it up. */
const send = async (
  port: number,
  { method = 'GET', path, headers, body }: Sent,
): Promise<Answer> => {
  const message = request({
    host: PROXY,
    port,
    localAddress: CLIENT,
    method,
    path,
    headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
  })
  message.end(body)
  const [answer] = await once(message, 'response')
  const bytes = Buffer.concat(await answer.toArray())
  const isZipped = answer.headers['content-encoding'] === 'gzip'
  const text = (isZipped ? gunzipSync(bytes) : bytes).toString()
  return { status: answer.statusCode, headers: answer.headers, text }
}

const ARTICLES = '/v1/sites/default/articles'
const IDS = [
  'a/b',
  'a%2Fb',
  'a%252Fb',
  'a?b=c',
  'a#b',
  'a b',
  'a+b',
  'a//b',
  '/a/',
  'a/../b',
  'a\\b',
  'a;b',
  'a&b=c',
  '100%',
  'quote\'"<>`{}|^',
  'https://example.org/posts/1?page=2#top',
  'Grüße, 日本語 🙂',
  'x'.repeat(2_048),
  '日'.repeat(2_048),
  '🙂'.repeat(2_048),
]
/** An encoded slash, an encoded percent sign and Chinese characters, of full length. */
const ODD_ID = `a/b%25${'文'.repeat(2_041)}`
const FOLDER = '/comments'

const pageWith = (base: string): string => `<!doctype html>
<script type="module" src="${base}/embed.js" async></script>
<afterword-thread article="shown" loading="eager"></afterword-thread>`

/** Ways to ask for what is not public. */
const PRIVATE = [
  '/metrics',
  '/readyz',
  '/livez',
  '/%6detrics',
  '//metrics',
  '/./metrics',
  '/v1/../metrics',
  '/v1/%2e%2e/metrics',
  '/v1/..%2fmetrics',
  '/metrics/../v1/',
  '/metrics%3f/../v1/',
  '/metrics;/../v1/',
  '/metrics?/v1/',
  '/docs/../metrics',
  '/docs/..%2fmetrics',
]

const exchangeIds = async (t: Test, port: number, folder = ''): Promise<void> => {
  for (const id of IDS) {
    const path = `${folder}${ARTICLES}/${encodeURIComponent(id)}/comments`
    const body = JSON.stringify({ body: 'Hello', author: { name: 'Ada' } })
    const posted = await send(port, { method: 'POST', path, body })
    t.equal(posted.status, 201, `posting to ${id.slice(0, 40)}`)
    t.equal(JSON.parse(posted.text).article_id === id, true)
    t.equal(JSON.parse((await send(port, { path })).text).items.length, 1, 'and reading it')
  }
}

for (const [name, recipe] of Object.entries(RECIPES)) {
  const isHere = isOnPath(recipe.binary) && (name !== 'Apache' || existsSync(MODULES))
  const skip = !isHere && `${recipe.binary} is not on the PATH: ITS RECIPE IS NOT TESTED`
  t.test(`${name}, as docs/proxies.md sets it up`, { skip }, async (t) => {
    const service = await openService(t, { trustedProxies: [`${PROXY}/32`] })
    const address = new URL(await service.app.listen({ host: PROXY, port: 0 }))
    const port = await findFreePort()
    await startProxy(t, { recipe, upstream: address.host, port })

    t.test('every article id comes through unchanged', (t) => exchangeIds(t, port))

    t.test('the service sees the client, whatever the client claims', async (t) => {
      const headers = { 'x-forwarded-for': '203.0.113.9', forwarded: 'for=203.0.113.9' }
      const body = JSON.stringify({ body: 'Hello', author: { name: 'Ada' } })
      const path = `${ARTICLES}/who/comments`
      t.equal((await send(port, { method: 'POST', path, headers, body })).status, 201)
      const queue = await service.get('/moderation/comments?status=approved&article_id=who', {
        token: service.adminKey,
      })
      t.equal(queue.body.items[0].network, '127.7.7.0/24')
    })

    t.test('JSON is compressed, and its tag still answers 304', async (t) => {
      for (let i = 0; i < 5; i++) await service.post('long', 'word '.repeat(100))
      const path = `${ARTICLES}/long/comments`
      const headers = { 'accept-encoding': 'gzip' }
      const first = await send(port, { path, headers })
      t.match(first.headers, { 'content-encoding': 'gzip', vary: /accept-encoding/i })
      t.equal(JSON.parse(first.text).items.length, 5)
      const again = { ...headers, 'if-none-match': first.headers.etag! }
      t.equal((await send(port, { path, headers: again })).status, 304)
    })

    t.test('refusals, cross-origin headers and methods come through', async (t) => {
      const origin = { origin: 'https://blog.example.org' }
      const absent = await send(port, {
        path: `/v1/sites/default/comments/${ABSENT}`,
        headers: origin,
      })
      t.equal(JSON.parse(absent.text).code, 'not_found')
      t.equal(absent.headers['content-type'], 'application/problem+json')
      t.equal(absent.headers['access-control-allow-origin'], origin.origin)
      const preflight = { ...origin, 'access-control-request-method': 'DELETE' }
      const path = `/v1/sites/default/comments/${ABSENT}`
      t.equal((await send(port, { method: 'OPTIONS', path, headers: preflight })).status, 204)
      t.match((await send(port, { method: 'DELETE', path })).text, '"login_required"')
      t.match(
        (await send(port, { method: 'PATCH', path, body: '{"body":"x"}' })).text,
        '"login_required"',
      )
      const large = JSON.stringify({ body: 'x'.repeat(100_000) })
      const refused = await send(port, {
        method: 'POST',
        path: `${ARTICLES}/a/comments`,
        body: large,
      })
      t.match(refused.text, '"body_too_large"')
    })

    t.test('the widget and the reference are public; metrics and health are not', async (t) => {
      const loader = await send(port, { path: '/embed.js' })
      t.match(loader, { status: 200, text: /afterword-thread/ })
      const manifest = JSON.parse((await send(port, { path: '/embed/manifest.json' })).text)
      t.equal((await send(port, { path: `/embed/${manifest.scripts.thread}` })).status, 200)
      t.match((await send(port, { path: '/openapi.yaml' })).text, 'openapi: 3.1')
      t.equal((await send(port, { path: '/docs' })).status, 200)
      for (const path of PRIVATE) {
        const { status, text } = await send(port, { path })
        t.ok(status >= 300 && !/afterword_|"status":"/.test(text), `${path} is ${status}`)
      }
    })
  })

  t.test(`${name}, under a path as docs/proxies.md sets it up`, { skip }, async (t) => {
    const port = await findFreePort()
    const base = `http://${PROXY}:${port}${FOLDER}`
    const service = await openService(t, { trustedProxies: [`${PROXY}/32`], publicUrl: base })
    const address = new URL(await service.app.listen({ host: PROXY, port: 0 }))
    await startProxy(t, { recipe, upstream: address.host, port, isUnderPath: true })
    const pathOf = (url: string) => url.replace(`http://${PROXY}:${port}`, '')

    t.test('every article id comes through unchanged', (t) => exchangeIds(t, port, FOLDER))

    t.test('links, locations and pictures of the service lead back to it', async (t) => {
      const article = `${FOLDER}${ARTICLES}/${encodeURIComponent(ODD_ID)}`
      const body = (n: number) => JSON.stringify({ body: `No. ${n}`, author: { name: 'Ada' } })
      const path = `${article}/comments`
      for (let n = 0; n < 2; n++) {
        const posted = await send(port, { method: 'POST', path, body: body(n) })
        t.match(posted.headers.location, `${base}/v1/`)
        t.equal((await send(port, { path: pathOf(posted.headers.location!) })).status, 200)
        const picture = JSON.parse(posted.text).author.avatar_url
        t.match(picture, `${base}/v1/avatars/`)
        t.match(await send(port, { path: pathOf(picture) }), { status: 200, text: '<svg' })
      }
      const first = await send(port, { path: `${path}?limit=1` })
      const link = /^<(.+)>; rel="next"$/.exec(String(first.headers.link))![1]!
      const next = new URL(link, `http://${PROXY}:${port}${path}`)
      const second = await send(port, { path: next.pathname + next.search })
      t.match(JSON.parse(second.text).items, [{ body: 'No. 0' }])
      const page = await send(port, { path: `${article}/comments.html?page=1&limit=1` })
      const urls = [...page.text.matchAll(/(?:href|src|action)="(http[^"]+)"/g)].map(
        ([, url]) => url!,
      )
      t.ok(urls.length > 2)
      for (const url of urls.map((one) => one.replaceAll('&amp;', '&').replace(/#.*/, ''))) {
        t.match(url, base)
        const isForm = url.includes('/comments.form')
        const answer = await send(port, { method: isForm ? 'POST' : 'GET', path: pathOf(url) })
        t.equal(answer.status, isForm ? 400 : 200, `${url.slice(0, 120)}: a form needs fields`)
      }
    })

    t.test('the widget and the reference are public; nothing else is', async (t) => {
      t.match((await send(port, { path: `${FOLDER}/embed.js` })).text, 'afterword-thread')
      const manifest = JSON.parse(
        (await send(port, { path: `${FOLDER}/embed/manifest.json` })).text,
      )
      const script = `${FOLDER}/embed/${manifest.scripts.thread}`
      t.equal((await send(port, { path: script })).status, 200)
      t.match((await send(port, { path: `${FOLDER}/openapi.yaml` })).text, base)
      t.equal((await send(port, { path: `${FOLDER}/docs` })).status, 200)
      const redirect = await send(port, { path: `${FOLDER}/docs/` })
      const target = new URL(redirect.headers.location!, `${base}/docs/`)
      t.equal(target.href, `${base}/docs`)
      for (const path of PRIVATE.map((one) => FOLDER + one)) {
        const { status, text } = await send(port, { path })
        t.ok(status >= 300 && !/afterword_|"status":"/.test(text), `${path} is ${status}`)
      }
      // The rest of the site is not the service, and Caddy responds 200 where a site has nothing.
      for (const path of [...PRIVATE, '/v1/sites/default', '/embed.js']) {
        const { text } = await send(port, { path })
        t.notMatch(text, /afterword|"status":"|"slug"/, path)
      }
    })

    t.test('browsers show the reference and a thread', { skip: skipWithoutBrowser }, async (t) => {
      const browser = await openBrowser(t)
      const reference = await browser.newPage()
      await reference.goto(`${base}/docs`)
      await reference.getByRole('heading', { name: 'Quick start' }).waitFor({ timeout: 90_000 })
      await service.post('shown', 'Hello from the path')
      const page = await browser.newPage()
      const site = createServer((_request, response) => {
        response.setHeader('content-type', 'text/html').end(pageWith(base))
      }).listen(0, PROXY)
      t.teardown(() => site.close())
      await once(site, 'listening')
      await page.goto(`http://${PROXY}:${(site.address() as AddressInfo).port}/`)
      const thread = page.locator('afterword-thread')
      await thread.getByText('Hello from the path').waitFor()
      await page.waitForFunction(() => {
        const picture = document
          .querySelector('afterword-thread')!
          .shadowRoot!.querySelector<HTMLImageElement>('img.avatar')
        picture?.scrollIntoView()
        return picture !== null && picture !== undefined && picture.naturalWidth > 0
      })
    })
  })
}
