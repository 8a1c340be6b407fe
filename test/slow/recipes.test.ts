import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { openBrowser, skipWithoutBrowser } from '../browser.ts'
import { openService } from '../service.ts'
import { findFreePort, until } from '../start.ts'

/** Follows recipes of the documentation with the programs that they are for. */
const DOCS = join(import.meta.dirname, '../../docs')
const EMBEDDING = readFileSync(join(DOCS, 'embedding.md'), 'utf8')
const WITHOUT_SCRIPT = readFileSync(join(DOCS, 'without-javascript.md'), 'utf8')
const MODULES = '/usr/lib/apache2/modules'

const blockOf = (page: string, language: string): string =>
  new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(page)![1]!
const skipWithout = (program: string) =>
  spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0 && `no ${program} on the PATH`

const openFolder = (t: Test, files: Readonly<Record<string, string>>): string => {
  const folder = mkdtempSync(join(tmpdir(), 'afterword-recipe-'))
  chmodSync(folder, 0o755)
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, dirname(path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

/** A service with one comment on the article `my-post`, and on an article with this address. */
const openComments = async (t: Test, path = '/posts/my-post/') => {
  const service = await openService(t)
  const base = await service.app.listen({ host: '127.0.0.1', port: 0 })
  for (const article of ['my-post', path]) await service.post(article, `Comment on ${article}`)
  const fill = (text: string) =>
    text
      .replaceAll('https://comments.example/v1/sites/blog', `${base}/v1/sites/default`)
      .replaceAll('https://comments.example', base)
  return { base, fill }
}

const POST = '---\nlayout: post\ntitle: My post\n---\nThe text of my post.\n'

type Generator = {
  readonly files: (recipe: string) => Readonly<Record<string, string>>
  readonly command: readonly string[]
  readonly page: string
  readonly article: string
}

const GENERATORS: Readonly<Record<string, Generator>> = {
  hugo: {
    files: (recipe) => ({
      'config.toml': 'baseURL = "https://blog.example/"\ntitle = "A blog"\n',
      'content/posts/my-post.md': POST,
      'layouts/_default/single.html':
        '<!doctype html><html lang="en"><title>{{ .Title }}</title>{{ .Content }}{{ partial "comments.html" . }}</html>',
      'layouts/partials/comments.html': recipe,
    }),
    command: ['hugo', '--quiet'],
    page: 'public/posts/my-post/index.html',
    article: '/posts/my-post/',
  },
  jekyll: {
    files: (recipe) => ({
      '_config.yml': 'title: A blog\n',
      '_posts/2026-11-30-my-post.md': POST,
      '_layouts/post.html':
        '<!doctype html><html lang="en"><title>{{ page.title }}</title>{{ content }}{% include comments.html %}</html>',
      '_includes/comments.html': recipe,
    }),
    command: ['jekyll', 'build', '--quiet'],
    page: '_site/2026/11/30/my-post.html',
    article: '/2026/11/30/my-post.html',
  },
}

for (const [name, { files, command, page, article }] of Object.entries(GENERATORS)) {
  const skip = skipWithout(name) || skipWithoutBrowser
  t.test(`${name} builds a page that shows its thread`, { skip }, async (t) => {
    const { fill } = await openComments(t, article)
    const recipe = new RegExp(`^\`\`\`html recipe=${name}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(
      EMBEDDING,
    )![1]!
    const folder = openFolder(t, files(fill(recipe)))
    execFileSync(command[0]!, command.slice(1), { cwd: folder, stdio: 'ignore' })
    const html = readFileSync(join(folder, page), 'utf8')
    const server = createServer((_request, answer) => {
      answer.setHeader('content-type', 'text/html; charset=utf-8').end(html)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => {
      server.closeAllConnections()
      server.close()
    })
    const tab = await (await openBrowser(t)).newPage()
    await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    await tab.getByText('The text of my post.').waitFor()
    await tab.locator('afterword-thread').getByText(`Comment on ${article}`).waitFor()
  })
}

const startServer = async (t: Test, port: number, command: readonly string[]): Promise<string> => {
  const child: ChildProcess = spawn(command[0]!, command.slice(1), { stdio: 'ignore' })
  t.teardown(async () => {
    if (child.exitCode === null && child.kill()) await once(child, 'exit')
  })
  const address = `http://127.0.0.1:${port}/`
  return until(`for ${command[0]}`, () =>
    fetch(address).then(
      (answer) => (answer.ok ? answer.text() : undefined),
      () => undefined,
    ),
  )
}

const hasComments = (t: Test, html: string): void => {
  t.match(html, /<h1>My post<\/h1>.*<p>Comment on my-post<\/p>.*<form.*<footer>/s)
  t.notMatch(html, /<!--#include|<\?=/, 'the line is replaced')
}

const page = (line: string) => `<h1>My post</h1>\n${line}\n<footer></footer>`

t.test('nginx includes the comments', { skip: skipWithout('nginx') }, async (t) => {
  const { fill } = await openComments(t)
  const port = await findFreePort()
  const folder = openFolder(t, { 'site/index.html': page(blockOf(WITHOUT_SCRIPT, 'html')) })
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  writeFileSync(
    join(folder, 'config'),
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr; ${process.getuid?.() === 0 ? 'user root;' : ''}
    events {}
    http {
      access_log off; default_type text/html;
      ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
      server {
        listen 127.0.0.1:${port};
        root ${folder}/site;
        ${fill(blockOf(WITHOUT_SCRIPT, 'nginx'))}
      }
    }`,
  )
  hasComments(
    t,
    await startServer(t, port, ['nginx', '-c', join(folder, 'config'), '-e', 'stderr']),
  )
})

t.test('Apache includes the comments', { skip: skipWithout('apache2') }, async (t) => {
  const { fill } = await openComments(t)
  const port = await findFreePort()
  const line = blockOf(WITHOUT_SCRIPT, 'html')
  const folder = openFolder(t, { 'site/index.html': page(line) })
  const modules = [
    'mpm_event',
    'authz_core',
    'dir',
    'mime',
    'filter',
    'include',
    'proxy',
    'proxy_http',
    'headers',
  ]
  writeFileSync(
    join(folder, 'config'),
    `${modules.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join('\n')}
    ServerRoot ${folder}
    PidFile ${folder}/pid
    ServerName localhost
    ErrorLog "|/bin/cat >&2"
    Listen 127.0.0.1:${port}
    ${process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''}
    TypesConfig /dev/null
    AddType text/html .html
    DocumentRoot ${folder}/site
    DirectoryIndex index.html
    <Location "/">
      Require all granted
    </Location>
    ${fill(blockOf(WITHOUT_SCRIPT, 'apache'))}`,
  )
  hasComments(
    t,
    await startServer(t, port, ['apache2', '-DFOREGROUND', '-f', join(folder, 'config')]),
  )
})

t.test('PHP includes the comments', { skip: skipWithout('php') }, async (t) => {
  const { fill } = await openComments(t)
  const port = await findFreePort()
  const folder = openFolder(t, { 'index.php': page(fill(blockOf(WITHOUT_SCRIPT, 'php'))) })
  hasComments(t, await startServer(t, port, ['php', '-S', `127.0.0.1:${port}`, '-t', folder]))
})
