import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { buildPackage } from '../../src/http/embed/widget.ts'
import { openBrowser, skipWithoutBrowser } from '../browser.ts'
import { listen } from '../http/sockets.ts'
import { openService, suggest } from '../service.ts'
import { passes, run } from './examples.ts'

const ROOT = join(import.meta.dirname, '../..')
const PAGE = readFileSync(join(ROOT, 'docs/client.md'), 'utf8')

const recipe = (name: string): string =>
  new RegExp(`^\`\`\`\\w+ recipe=${name}\n(.*?)^\`\`\``, 'ms').exec(PAGE)![1]!

/** A folder where the package is installed as it is published, and a service with one thread. */
const open = async (t: Test) => {
  const folder = mkdtempSync(join(tmpdir(), 'afterword-client-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const installed = join(folder, 'node_modules/@afterword/client')
  mkdirSync(installed, { recursive: true })
  cpSync(join(ROOT, 'web/client/package.json'), join(installed, 'package.json'))
  await buildPackage('client', 'client.ts', join(installed, 'dist'))
  const service = await openService(t)
  const url = `http://127.0.0.1:${await listen(service.app)}`
  /** Runs a recipe as a program of its own. */
  const runRecipe = (name: string) => {
    writeFileSync(join(folder, 'recipe.mjs'), recipe(name))
    const env = { ...process.env, COMMENTS: url }
    return run(folder, [process.execPath, 'recipe.mjs'], env)
  }
  return { service, url, folder, installed, runRecipe }
}

t.test('the script of docs/client.md posts a comment and prints the thread', async (t) => {
  const { service, runRecipe } = await open(t)
  const first = await service.post('hello-world', 'The first.')
  await service.post('hello-world', 'A reply.', { parent_id: first.id, author: { name: 'Grace' } })
  const ended = await runRecipe('node')
  passes(t, ended, 'the script ends well')
  t.equal(ended.output, 'Ada: The first.\n  Grace: A reply.\nAda: Written by a script.\n')
})

t.test('the build step of docs/client.md writes recent comments as text', async (t) => {
  const { service, folder, runRecipe } = await open(t)
  const [more, options] = suggest('Tea & cake')
  await service.post('a', '`<script>` is text', more, options)
  passes(t, await runRecipe('build'), 'the build step ends well')
  t.equal(
    readFileSync(join(folder, 'recent-comments.html'), 'utf8'),
    '<ul>\n<li><b>Ada</b> on Tea &#38; cake: &#60;script&#62; is text</li>\n</ul>\n',
  )
})

const POST = `import('/client.js').then(({ createClient }) =>
  createClient({ service: document.documentElement.dataset.service }).post(
    '/articles/{article_id}/comments',
    { params: { path: { article_id: 'b' } }, body: { body: 'Hello', author: { name: 'Ada' } } },
  ))`

t.test(
  'the page of docs/client.md shows recent comments in a browser',
  { skip: skipWithoutBrowser },
  async (t) => {
    const { service, url, installed } = await open(t)
    await service.post('a', 'Tea <b>and</b> cake')
    const html = `<!doctype html><html lang="en" data-service="${url}">${recipe('page')}</html>`
    const server = createServer((request, answer) => {
      const isScript = request.url === '/client.js'
      answer.setHeader('content-type', isScript ? 'text/javascript' : 'text/html; charset=utf-8')
      answer.end(isScript ? readFileSync(join(installed, 'dist/client.js')) : html)
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    t.teardown(() => {
      server.closeAllConnections()
      server.close()
    })
    const page = await (await openBrowser(t)).newPage()
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    const item = page.locator('#latest li')
    await item.waitFor()
    t.same(await item.allTextContents(), ['Ada: Tea <b>and</b> cake'])
    await page.evaluate(POST)
    t.equal((await service.get('/articles/b')).body.comment_count, 1, 'a page can post too')
  },
)
