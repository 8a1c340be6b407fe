import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { buildWidget, toAsset } from '../../src/http/embed/widget.ts'

const FOLDER = join(import.meta.dirname, '../../web/embed')

/** Bytes of brotli. */
const LOADER = 2_000
const THREAD = 20_000

t.test('the scripts of the widget keep their budgets', async (t) => {
  const { files, manifest } = await buildWidget()
  const sizeOf = async (path: string) => (await toAsset(path, files.get(path)!)).br.length
  const loader = await sizeOf('embed.js')
  const thread = await sizeOf(manifest.scripts.thread!)
  t.comment(`loader ${loader}, thread ${thread}`)
  t.ok(loader <= LOADER, `the loader has ${loader} bytes`)
  t.ok(thread <= THREAD, `the thread has ${thread} bytes`)
})

t.test(
  'no source of the widget gives a text to a parser of HTML, or writes a style as text',
  async (t) => {
    const sinks =
      /innerHTML|outerHTML|insertAdjacentHTML|setHTML|DOMParser|parseHTML|dangerouslySetInnerHTML|createContextualFragment|document\.write|srcdoc|\beval\b|new Function|style=/
    const found = globSync('**/*.{ts,tsx}', { cwd: FOLDER }).filter((path) =>
      sinks.test(readFileSync(join(FOLDER, path), 'utf8')),
    )
    t.same(found, [])
  },
)
