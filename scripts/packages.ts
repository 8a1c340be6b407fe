import { execFileSync } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildPackage } from '../src/http/embed/widget.ts'

/** Builds the npm packages `@afterword/embed` and `@afterword/client`, each into its folder `dist`. */
const ROOT = join(import.meta.dirname, '..')
const CLIENT = join(ROOT, 'web/client')
await buildPackage('embed', 'index.ts')
await buildPackage('client', 'client.ts')

const run = (...args: string[]) => execFileSync(process.execPath, args, { cwd: ROOT })
run('scripts/wire-types.ts')
run('node_modules/typescript/bin/tsc', '-p', 'web/client')
copyFileSync(join(CLIENT, 'wire.d.ts'), join(CLIENT, 'dist/wire.d.ts'))
