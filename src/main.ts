import { enableCompileCache } from 'node:module'
import { dirname, join } from 'node:path'
import { BUNDLES, mapStackTraces, openBundle } from './bundle.ts'

const ROOT = dirname(import.meta.dirname)

const bundle = await openBundle(ROOT)
// The next starts find compiled code. Where the folder cannot be written, every start compiles.
enableCompileCache(bundle?.folder ?? join(ROOT, BUNDLES))
if (bundle) mapStackTraces(bundle)
const { run } = (await import(bundle?.file ?? './run.ts')) as typeof import('./run.ts')

run(process.env).then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  },
)
