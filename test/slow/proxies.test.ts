import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type IncomingHttpHeaders, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
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
    ${block.replace('comments.example.org', `http://:${port}`)}`,
    command: (file) => ['caddy', 'run', '--adapter', 'caddyfile', '--config', file],
  },
}

const isOnPath = (binary: string): boolean =>
  spawnSync('sh', ['-c', `command -v ${binary}`]).status === 0

const startProxy = async (t: Test, recipe: Recipe, upstream: string): Promise<number> => {
  const folder = mkdtempSync(join(tmpdir(), 'afterword-proxy-'))
  chmodSync(folder, 0o755)
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const [, block] = new RegExp(`^\`\`\`${recipe.language}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(DOC)!
  const port = await findFreePort()
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
  return port
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

for (const [name, recipe] of Object.entries(RECIPES)) {
  const isHere = isOnPath(recipe.binary) && (name !== 'Apache' || existsSync(MODULES))
  const skip = !isHere && `${recipe.binary} is not on the PATH: ITS RECIPE IS NOT TESTED`
  t.test(`${name}, as docs/proxies.md sets it up`, { skip }, async (t) => {
    const service = await openService(t, { trustedProxies: [`${PROXY}/32`] })
    const address = new URL(await service.app.listen({ host: PROXY, port: 0 }))
    const port = await startProxy(t, recipe, address.host)

    t.test('every article id comes through unchanged', async (t) => {
      for (const id of IDS) {
        const path = `${ARTICLES}/${encodeURIComponent(id)}/comments`
        const body = JSON.stringify({ body: 'Hello', author: { name: 'Ada' } })
        const posted = await send(port, { method: 'POST', path, body })
        t.equal(posted.status, 201, `posting to ${id.slice(0, 40)}`)
        t.equal(JSON.parse(posted.text).article_id, id)
        t.equal(JSON.parse((await send(port, { path })).text).items.length, 1, 'and reading it')
      }
    })

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
}
