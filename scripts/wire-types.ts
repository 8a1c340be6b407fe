import { readFileSync, writeFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'

/**
 * Writes the types of the wire, `web/client/wire.d.ts`, from `openapi.yaml`. The types of the client and of
 * every caller follow from them.
 */

// openapi-typescript prints by the JavaScript API of TypeScript 6, which TypeScript 7 lacks.
registerHooks({
  resolve: (name, context, next) =>
    next(name === 'typescript' ? '@ts-morph/common/dist/typescript.js' : name, context),
})

const ROOT = join(import.meta.dirname, '..')
const { astToString, default: generate } = await import('openapi-typescript')
const description = readFileSync(join(ROOT, 'openapi.yaml'))
writeFileSync(join(ROOT, 'web/client/wire.d.ts'), astToString(await generate(description)))
