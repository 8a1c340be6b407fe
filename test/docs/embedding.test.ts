import { globSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { describeTags } from '../../scripts/custom-elements.ts'
import { buildWidget, toAsset } from '../../src/http/embed/widget.ts'
import { RESERVE } from '../../src/http/service/welcome.ts'
import { openBrowser, skipWithoutBrowser } from '../browser.ts'
import { openService } from '../service.ts'

const ROOT = join(import.meta.dirname, '../..')
const PAGE = readFileSync(join(ROOT, 'docs/embedding.md'), 'utf8')
const FOLDER = join(ROOT, 'web/embed')
const FILES = new Map(
  globSync('**/*.{ts,tsx,css}', { cwd: FOLDER, exclude: ['dist/**'] }).map((path) => [
    path,
    readFileSync(join(FOLDER, path), 'utf8'),
  ]),
)
const SOURCE = [...FILES.values()].join('\n')

const matches = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, name]) => name!)
const unique = (names: Iterable<string>): string[] => [...new Set(names)].sort()

/** The code spans in the first column of the table under a header. */
const namesOf = (header: string): string[] => {
  const [, rows] = new RegExp(`^\\| ${header} \\|.*\\n\\|[-:|]*\\n((?:\\|.*\\n)*)`, 'm').exec(PAGE)!
  return rows!.split('\n').flatMap((row) => matches(row.split('|')[1] ?? '', /`([^`]+)`/g))
}

/** The words of a space-separated list in the source of the tags. */
const wordsOf = (pattern: RegExp): string[] =>
  pattern.exec(FILES.get('elements.ts')!)![1]!.split(' ')

/** The browser has `lang`, and pages set `messages` to an object too. */
const PROPERTIES_OF_THEIR_OWN = ['lang', 'messages']

const ATTRIBUTES = [
  ...wordsOf(/QUERY = '([^']*)'/),
  ...wordsOf(/\.\.\.'([^']*)'\.split/),
  ...wordsOf(/OTHERS = '([^']*)'/),
  ...PROPERTIES_OF_THEIR_OWN,
]
const TAGS = matches(PAGE, /^\| `<(afterword-\w+)>` \|/gm)

t.test('docs/embedding.md has every attribute of the tags, and no other', async (t) => {
  t.ok(ATTRIBUTES.length > 15, 'the attributes were found')
  t.same(unique(namesOf('attribute')), unique(ATTRIBUTES))
})

const camelCase = (name: string): string => name.replaceAll(/-./g, (part) => part[1]!.toUpperCase())

type Described = {
  readonly name: string
  readonly tagName: string
  readonly attributes: readonly { readonly name: string }[]
}
const { modules } = describeTags(PAGE) as {
  modules: readonly [{ readonly declarations: readonly Described[] }]
}

t.test('the types of the package have the attributes of each tag as properties', async (t) => {
  const types = FILES.get('embed.d.ts')!
  const propertiesOf = (name: string) => {
    const [, body] = new RegExp(`^(?:export )?interface ${name} .*\\{([^}]*)`, 'm').exec(types)!
    return matches(body!, /^ {2}(\w+): string \| null$/gm)
  }
  t.equal(modules[0].declarations.length, TAGS.length)
  for (const { name, tagName, attributes } of modules[0].declarations) {
    const own = attributes
      .map((attribute) => attribute.name)
      .filter((known) => !PROPERTIES_OF_THEIR_OWN.includes(known))
    const typed = [...propertiesOf('AfterwordElement'), ...propertiesOf(name)]
    t.same(unique(typed), unique(own.map(camelCase)), tagName)
    const [, listed] = new RegExp(`'${tagName}': TagAttributes<\\s*${name},([^>]*)>`).exec(
      FILES.get('react.d.ts')!,
    )!
    const drawn = /\bDrawn\b/.test(listed!) ? ['loading', 'heading-level'] : []
    const forReact = ['service', 'site', 'theme', ...drawn, ...matches(listed!, /'([\w-]+)'/g)]
    t.same(unique(forReact), unique(own), `${tagName} in React`)
  }
})

t.test('docs/embedding.md has every tag and method, and no other', async (t) => {
  const types = FILES.get('embed.d.ts')!
  t.same(unique(TAGS), unique(matches(types, /'(afterword-\w+)':/g)))
  const methods = matches(FILES.get('elements.ts')!, /^ {4}(\w+) = this\./gm)
  const said = namesOf('name')
  t.same(unique(said.flatMap((name) => /^(\w+)\(/.exec(name)?.[1] ?? [])), unique(methods))
  const properties = said.filter((name) => !name.includes('('))
  for (const name of properties) t.match(types, new RegExp(`^ {2}${name}\\?:`, 'm'), name)
  t.same(unique(properties), unique(matches(types, /^ {2}(\w+)\?:/gm)))
})

t.test('docs/embedding.md has every event, and no other', async (t) => {
  const emitted = matches(SOURCE, /\bemit\(([^,)]*)/g).flatMap((name) =>
    matches(name, /'([\w-]+)'/g),
  )
  t.ok(emitted.length > 10, 'the events were found')
  t.same(unique(namesOf('event')), unique(emitted.map((name) => `afterword-${name}`)))
})

t.test('docs/embedding.md has every part and slot, and no other', async (t) => {
  const written = [
    ...matches(SOURCE, /\bpart="([\w -]+)"/g),
    ...matches(SOURCE, /\bpart: '([\w -]+)'/g),
    ...matches(SOURCE, /'(comment-\w+)'/g),
    ...matches(SOURCE, /\bpart=\{\w+ \? '([\w -]+)'/g),
    'comment',
  ]
  const listed = [...namesOf('part'), ...matches(PAGE, /`(comment-\w+)`/g)]
  t.same(unique(listed), unique(written.flatMap((names) => names.split(' '))))
  t.same(unique(namesOf('slot')), unique(matches(SOURCE, /<slot name="(\w+)"/g)))
})

t.test('docs/embedding.md has every custom property, theme and language', async (t) => {
  const properties = matches(FILES.get('embed.css')!, /var\((--afterword-[\w-]+)/g)
  t.same(unique(namesOf('custom property')), unique(properties))
  const themes = globSync('themes/*.css', { cwd: FOLDER }).map((path) => basename(path))
  t.same(unique(namesOf('theme')), unique(themes))
  for (const path of globSync('themes/*.css', { cwd: FOLDER }))
    for (const name of matches(readFileSync(join(FOLDER, path), 'utf8'), /(--afterword-[\w-]+)/g))
      t.ok(properties.includes(name), `${path} sets ${name}, which the widget reads`)
  const [, languages] = /speaks these languages: ([^.]*)\./.exec(PAGE)!
  const spoken = globSync('messages/*.json', { cwd: FOLDER }).map((path) => basename(path, '.json'))
  t.same(unique(matches(languages!, /`(\w+)`/g)), unique(spoken))
})

t.test('the tags in README.md and docs/embedding.md have known attributes', async (t) => {
  const texts = [PAGE, readFileSync(join(ROOT, 'README.md'), 'utf8')]
  const used = texts.flatMap((text) => [...text.matchAll(/<(afterword-\w+) ([^<]*?)><\//g)])
  t.ok(used.length > 10, 'the tags were found')
  for (const [, tag, attributes] of used) {
    t.ok(TAGS.includes(tag!), tag!)
    for (const name of matches(attributes!, /(?:^| )((?!dangerously)[\w-]+)=/g))
      t.ok(ATTRIBUTES.includes(name), name)
  }
})

const MAX_DEVIATION = 0.03

t.test('the sizes in docs/embedding.md are those of the scripts', async (t) => {
  const { files, manifest } = await buildWidget()
  const rows = [...PAGE.matchAll(/^\| `(\w+)` \| ([\d,]+) \|/gm)]
  t.equal(rows.length, Object.keys(manifest.scripts).length + 1)
  for (const [, name, said] of rows) {
    const path = manifest.scripts[name!] ?? 'embed.js'
    const { length } = (await toAsset(path, files.get(path)!)).br
    const deviation = Math.abs(toNumber(said!) / length - 1)
    t.ok(deviation <= MAX_DEVIATION, `${name} has ${length} bytes`)
  }
  const sizeOf = (script: string) => toNumber(rows.find(([, name]) => name === script)![2]!)
  const [, compared] = /^\| Afterword 0\.1\.0 \| ([\d,]+) \|/m.exec(PAGE)!
  t.equal(toNumber(compared!), sizeOf('embed') + sizeOf('thread'), 'the comparison adds them up')
})

const toNumber = (text: string): number => Number(text.replace(',', ''))

const MAX_PICTURE_BYTES = 60_000

t.test('the pictures of the documentation are small', async (t) => {
  const pictures = globSync('docs/img/*', { cwd: ROOT })
  t.ok(pictures.length >= 4)
  for (const path of pictures)
    t.ok(statSync(join(ROOT, path)).size < MAX_PICTURE_BYTES, `${path} is small`)
})

type Recipe = { readonly name: string; readonly text: string }
const RECIPES: Recipe[] = [...PAGE.matchAll(/^```\w+ recipe=(\w+)\n([\s\S]*?)^```$/gm)].map(
  ([, name, text]) => ({ name: name!, text: text! }),
)
const recipeOf = (name: string): string => RECIPES.find((recipe) => recipe.name === name)!.text

/** Serves one page on an origin of its own. */
const servePage = async (t: Test, html: string): Promise<string> => {
  const server = createServer((_request, answer) => {
    answer.setHeader('content-type', 'text/html; charset=utf-8')
    answer.end(`<!doctype html><html lang="en"><title>My post</title><body>${html}</body></html>`)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

/** What the template becomes: its expressions have the value `my-post`. */
const render = (text: string): string =>
  text
    .replaceAll(/\{\{[^}]*\}\}/g, 'my-post')
    .replaceAll(/=\{[^}]*\}/g, '="my-post"')
    .replaceAll(' is:inline', '')

t.test('the recipes of docs/embedding.md in a browser', { skip: skipWithoutBrowser }, async (t) => {
  const { app, post, call } = await openService(t)
  const base = await app.listen({ host: '127.0.0.1', port: 0 })
  const browser = await openBrowser(t)
  for (const article of ['my-post', 'ghost-my-post']) await post(article, `Comment on ${article}`)
  const open = async (html: string) => {
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(String(error)))
    await page.goto(await servePage(t, html.replaceAll('https://comments.example', base)))
    return { page, complaints }
  }

  t.test('the lines to copy show a thread, and a reader posts there', async (t) => {
    const { page, complaints } = await open(recipeOf('plain'))
    await page.getByText('Comment on my-post').waitFor()
    await page.getByRole('button', { name: 'Write a comment' }).click()
    await page.getByRole('textbox', { name: 'Comment' }).fill('Written in my page')
    await page.getByRole('textbox', { name: 'Name' }).fill('A reader')
    await page.getByRole('button', { name: 'Post', exact: true }).click()
    await page.locator('.body', { hasText: 'Written in my page' }).waitFor()
    t.same(
      complaints.filter((line) => !line.includes('favicon')),
      [],
    )
    await page.close()
  })

  t.test('the other tags show a count and the latest comments', async () => {
    const [script] = recipeOf('plain').split('\n')
    const { page } = await open(`${script}${recipeOf('tags')}`)
    await page.locator('afterword-count', { hasText: /^2 Comments$/ }).waitFor()
    await page.locator('afterword-recent').getByText('Written in my page').waitFor()
    await page.close()
  })

  t.test('the lines of every recipe show a thread', async (t) => {
    const templates = ['hugo', 'jekyll', 'eleventy', 'ghost', 'astro'].map(recipeOf)
    const tags = ['next', 'docusaurus'].map(
      (name) => /<afterword-thread.*<\/afterword-thread>/.exec(recipeOf(name))![0],
    )
    const rendered = [...templates, ...tags].map(render)
    const { page } = await open(rendered.join('\n'))
    for (let n = 0; n < rendered.length; n++) {
      const thread = page.locator('afterword-thread').nth(n)
      await thread.scrollIntoViewIfNeeded()
      await thread.getByText(/Comment on (ghost-)?my-post/).waitFor()
    }
    t.equal(await page.locator('afterword-thread').count(), rendered.length)
    await page.close()
  })

  t.test('a pinned script with its integrity shows a thread', async (t) => {
    const { integrity } = (await call('GET', '/embed/manifest.json')).body
    const [name, value] = Object.entries<string>(integrity).find(([n]) => n.startsWith('embed-'))!
    const pinned = recipeOf('pinned').replace('embed-HASH.js', name).replace('sha384-…', value)
    const { page } = await open(`${pinned}<afterword-thread article="my-post"></afterword-thread>`)
    await page.getByText('Comment on my-post').waitFor()
    await page.close()
    const other = pinned.replace('sha384-', 'sha384-AAAA')
    const wrong = await open(`${other}<afterword-thread article="my-post"></afterword-thread>`)
    await wrong.page.waitForFunction(() => document.readyState === 'complete')
    t.ok(
      wrong.complaints.some((line) => /integrity/.test(line)),
      'another hash is refused',
    )
    t.notOk(await wrong.page.evaluate(() => customElements.get('afterword-thread') !== undefined))
  })
})

t.test('every page prints the same line of CSS', async (t) => {
  const lines = matches(PAGE, /<style(?: is:inline)?>(.*)<\/style>/g)
  t.ok(lines.length > 4)
  t.same(unique(lines), [RESERVE])
})
