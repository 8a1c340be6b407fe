import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { buildPackage } from '../src/http/embed/widget.ts'
import { describeTags } from './custom-elements.ts'

/**
 * Builds the npm packages `@afterword/embed` and `@afterword/client`, ready for `npm publish`: into their
 * folders below `web`, or as copies into the folder that the first argument names.
 */
const ROOT = join(import.meta.dirname, '..')
const WEB = join(ROOT, 'web')
const target = resolve(process.argv[2] ?? WEB)

const openPackage = (name: 'embed' | 'client'): string => {
  const [source, folder] = [join(WEB, name), join(target, name)]
  const { files } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'))
  if (folder !== source)
    for (const file of ['package.json', 'README.md', ...files])
      if (file !== 'dist') cpSync(join(source, file), join(folder, file), { recursive: true })
  copyFileSync(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'))
  const dist = join(folder, 'dist')
  if (existsSync(dist)) rmSync(dist, { recursive: true })
  return dist
}

const embed = openPackage('embed')
await buildPackage('embed', 'index.ts', embed)
const tags = describeTags(readFileSync(join(ROOT, 'docs/embedding.md'), 'utf8'))
writeFileSync(join(embed, 'custom-elements.json'), `${JSON.stringify(tags, null, 2)}\n`)

const client = openPackage('client')
await buildPackage('client', 'client.ts', client)
const run = (...args: string[]) => execFileSync(process.execPath, args, { cwd: ROOT })
run('scripts/wire-types.ts')
run('node_modules/typescript/bin/tsc', '-p', 'web/client', '--outDir', client)
copyFileSync(join(WEB, 'client/wire.d.ts'), join(client, 'wire.d.ts'))
