import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { DESCRIPTION_FILE } from '../../scripts/openapi.ts'
import { passes, run } from '../docs/examples.ts'
import { listen } from '../http/sockets.ts'
import { findProgram } from '../programs.ts'
import { openService } from '../service.ts'

/** Exact, and installed for this test alone: together they have 120 MB. */
const GENERATORS = ['@hey-api/openapi-ts@0.99.0', 'orval@8.38.0', 'typescript@5.9.3']
const PYTHON_GENERATOR = 'openapi-python-client'

/** A folder with the description, and a service with one comment. */
const open = async (t: Test) => {
  const folder = mkdtempSync(join(tmpdir(), 'afterword-generated-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(DESCRIPTION_FILE, join(folder, 'openapi.yaml'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  const service = await openService(t)
  await service.post('a', 'a text')
  const url = `http://127.0.0.1:${await listen(service.app)}`
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  return { folder, url, write, call: (...command: string[]) => run(folder, command) }
}

t.test('clients of hey-api and orval are generated, and call the service', async (t) => {
  const { folder, url, write, call } = await open(t)
  passes(
    t,
    await call('npm', 'install', '--ignore-scripts', '--no-audit', ...GENERATORS),
    'installed',
  )
  const bin = (name: string) => join(folder, 'node_modules/.bin', name)
  passes(
    t,
    await call(process.execPath, bin('openapi-ts'), '-i', 'openapi.yaml', '-o', 'hey'),
    'hey-api',
  )
  const target = {
    input: './openapi.yaml',
    output: { target: './orval/client.ts', client: 'fetch', baseUrl: url },
  }
  write('orval.config.mjs', `export default ${JSON.stringify({ afterword: target })}`)
  passes(t, await call(process.execPath, bin('orval'), '--config', 'orval.config.mjs'), 'orval')
  const at = { site: 'default', article_id: 'a' }
  write(
    'call.ts',
    `import { client } from './hey/client.gen.ts'
import { listThread } from './hey/sdk.gen.ts'
import { listThread as listByOrval } from './orval/client.ts'
client.setConfig({ baseUrl: ${JSON.stringify(url)} })
const { data } = await listThread({ path: ${JSON.stringify(at)} })
const { data: other } = await listByOrval('default', 'a')
console.log(data.items[0].body, other.items[0].body)`,
  )
  const build = join(import.meta.dirname, '../../node_modules/.bin/esbuild')
  passes(
    t,
    await call(
      build,
      'call.ts',
      '--bundle',
      '--format=esm',
      '--outfile=call.mjs',
      '--log-level=error',
    ),
    'bundled',
  )
  const ended = await call(process.execPath, 'call.mjs')
  passes(t, ended, 'called')
  t.equal(ended.output, 'a text a text\n')
})

t.test('a client of openapi-python-client is generated, and calls the service', async (t) => {
  const python = findProgram('python3')
  if (!python) return t.pass('generated', { skip: 'there is no python3' })
  const { url, write, call } = await open(t)
  const made = await call(python, '-m', 'venv', 'venv')
  const pip = await call('venv/bin/pip', 'install', '-q', PYTHON_GENERATOR)
  if (made.code !== 0 || pip.code !== 0)
    return t.pass('generated', { skip: `no PyPI: ${made.output}${pip.output}` })
  const generated = await call(
    'venv/bin/openapi-python-client',
    'generate',
    '--path',
    'openapi.yaml',
    '--meta',
    'none',
    '--output-path',
    'afterword',
  )
  passes(t, generated, 'generated')
  const warnings = generated.output.match(/Unsupported content_type|WARNING parsing|ERROR/g) ?? []
  t.same(
    warnings.filter((one) => one === 'ERROR'),
    [],
  )
  t.equal(
    warnings.filter((one) => one === 'WARNING parsing').length,
    warnings.filter((one) => one === 'Unsupported content_type').length,
    'it leaves out pictures, XML and lines of JSON, and nothing else',
  )
  write(
    'call.py',
    `from afterword.client import Client
from afterword.api.reading import list_thread
page = list_thread.sync(client=Client(base_url=${JSON.stringify(url)}), site="default", article_id="a")
print(page.items[0].body)
`,
  )
  const ended = await call('venv/bin/python', 'call.py')
  passes(t, ended, 'called')
  t.equal(ended.output, 'a text\n')
})
