import { enableCompileCache } from 'node:module'
import { dirname, join } from 'node:path'
import { BUNDLES, loadBundle, mapStackTraces, openBundle } from './bundle.ts'

const ROOT = dirname(import.meta.dirname)

const bundle = await openBundle(ROOT)
// For `npm ci`: the first start finds the bundle, and this file and `bundle.ts` without their types.
if (process.argv.includes('--bundle')) process.exit(0)
if (bundle) mapStackTraces(bundle)
// Without a bundle, the next starts find the source compiled, if the folder can be written.
else enableCompileCache(join(ROOT, BUNDLES))
const { run } = bundle ? loadBundle(bundle) : await import('./run.ts')

run(process.env).then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  },
)
