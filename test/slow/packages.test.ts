import { execFileSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import t, { type Test } from 'tap'
import { openBrowser, skipWithoutBrowser } from '../browser.ts'
import { passes, run } from '../docs/examples.ts'
import { openService } from '../service.ts'

/** Packs both npm packages, and uses what is in them as their users do. */
const ROOT = join(import.meta.dirname, '../..')

const openPackages = async (t: Test) => {
  const folder = mkdtempSync(join(tmpdir(), 'afterword-packages-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  passes(t, await run(ROOT, [process.execPath, 'scripts/packages.ts', folder]), 'they are built')
  const installed = join(folder, 'node_modules')
  mkdirSync(join(installed, '@afterword'), { recursive: true })
  /** Packs a package, and installs what the package contains. @returns the paths in it */
  const install = (name: string): string[] => {
    const args = ['pack', '--json', '--pack-destination', folder]
    const said = execFileSync('npm', args, { cwd: join(folder, name), encoding: 'utf8' })
    const [{ filename, files }] = JSON.parse(said)
    execFileSync('tar', ['-xf', join(folder, filename), '-C', folder])
    cpSync(join(folder, 'package'), join(installed, '@afterword', name), { recursive: true })
    rmSync(join(folder, 'package'), { recursive: true })
    return files.map(({ path }: { path: string }) => path)
  }
  return { folder, installed, install }
}

t.test('the packages contain what they export, and nothing else', async (t) => {
  const { folder, installed, install } = await openPackages(t)
  for (const name of ['embed', 'client']) {
    const paths = install(name)
    const { exports, customElements } = JSON.parse(
      readFileSync(join(installed, '@afterword', name, 'package.json'), 'utf8'),
    )
    const targets = Object.values<string | Record<string, string>>(exports)
      .flatMap((target) => (typeof target === 'string' ? target : Object.values(target)))
      .map((target) => target.replace('./', ''))
    for (const target of targets)
      t.ok(
        paths.some((path) =>
          target.endsWith('*') ? path.startsWith(target.slice(0, -1)) : path === target,
        ),
        `${name} has ${target}`,
      )
    if (customElements) t.ok(paths.includes(customElements))
    for (const path of ['LICENSE', 'README.md']) t.ok(paths.includes(path), `${name} has ${path}`)
    const others = paths.filter(
      (path) =>
        !/^(dist|messages|themes)\/|\.d\.ts$|^(LICENSE|README\.md|package\.json)$/.test(path),
    )
    t.same(others, [], `${name} has nothing else`)
    t.notOk(
      paths.some((path) => /(?<!\.d)\.tsx?$|\.map$/.test(path)),
      `${name} has no source`,
    )
  }

  t.test('TypeScript knows the tags and the client', async (t) => {
    for (const name of ['openapi-fetch', 'openapi-typescript-helpers'])
      symlinkSync(join(ROOT, 'node_modules', name), join(installed, name))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    writeFileSync(
      join(folder, 'page.ts'),
      `import '@afterword/embed'
import { createClient, type Wire } from '@afterword/client'

const thread = document.querySelector('afterword-thread')!
thread.load('another-post')
thread.token = async () => 'a token'
// @ts-expect-error: an article is a text
thread.article = 1
const client = createClient({ service: 'https://comments.example' })
export const first: Promise<Wire['Comment'][]> = client
  .get('/articles/{article_id}/comments', { params: { path: { article_id: 'my-post' } } })
  .then(({ items }) => items)
`,
    )
    const options = ['--noEmit', '--strict', '--target', 'es2024', '--module', 'nodenext']
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
    passes(t, await run(folder, [process.execPath, tsc, ...options, 'page.ts']), 'the types fit')
  })

  t.test('a bundled page shows a thread, in German', { skip: skipWithoutBrowser }, async (t) => {
    writeFileSync(
      join(folder, 'page.js'),
      `import messages from '@afterword/embed/messages/de.json'
import '@afterword/embed/themes/paper.css'
import '@afterword/embed'
document.querySelector('afterword-thread').messages = messages`,
    )
    const { outputFiles } = await build({
      absWorkingDir: folder,
      entryPoints: ['page.js'],
      bundle: true,
      splitting: true,
      minify: true,
      format: 'esm',
      outdir: 'out',
      write: false,
    })
    const service = await openService(t)
    const base = await service.app.listen({ host: '127.0.0.1', port: 0 })
    await service.post('my-post', 'Seen in a bundled page')
    const page = `<!doctype html><html lang="de"><title>Mein Artikel</title>
<link rel="stylesheet" href="/page.css"><script type="module" src="/page.js"></script>
<afterword-thread service="${base}" article="my-post"></afterword-thread>`
    const server = createServer(({ url }, answer) => {
      const file = outputFiles.find(({ path }) => path === join(folder, 'out', url!))
      const types: Record<string, string> = { js: 'text/javascript', css: 'text/css' }
      answer.setHeader('content-type', types[url!.split('.').at(-1)!] ?? 'text/html; charset=utf-8')
      answer.end(url === '/' ? page : file?.contents)
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    t.teardown(() => {
      server.closeAllConnections()
      server.close()
    })
    const browser = await openBrowser(t)
    const tab = await browser.newPage()
    await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    await tab.getByText('Seen in a bundled page').waitFor()
    await tab.getByRole('heading', { name: '1 Kommentar' }).waitFor()
    const font = await tab
      .locator('afterword-thread')
      .evaluate((tag) => getComputedStyle(tag).getPropertyValue('--afterword-font'))
    t.match(font, /serif/, 'the theme is in the page')
  })
})
