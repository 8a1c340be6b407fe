import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

// Types are stripped and code is compiled once per install: the next starts take two thirds of the
// time. Where the folder cannot be written, every start is a first one.
enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/afterword'))
const { run } = await import('./run.ts')

run(process.env).then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  },
)
