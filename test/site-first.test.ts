import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import t from 'tap'
import { createDatabase } from './servers.ts'

/**
 * Tables can be distributed by site only if each key of a site's rows leads with `site_id`, and each
 * statement names it. Rows of a table where `site_id` may be null belong to the whole service.
 */

const SRC = join(import.meta.dirname, '../src/postgres')

const TABLES = `
  select attrelid::regclass::text as name from pg_attribute
  where attname = 'site_id' and attnotnull and attrelid in (
    select oid from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace)
  order by 1`

/** The first column of each primary key, unique index and foreign key of these tables. */
const KEYS = `
  select indexrelid::regclass::text as key, pg_get_indexdef(indexrelid, 1, false) as first
  from pg_index where indisunique and indrelid::regclass::text = any($1)
  union all
  select conrelid::regclass || '.' || conname, attname
  from pg_constraint join pg_attribute on attrelid = conrelid and attnum = conkey[1]
  where contype = 'f' and conrelid::regclass::text = any($1)`

const listFaultyKeys = async (client: pg.Client, tables: string[]): Promise<string[]> => {
  const { rows } = await client.query<{ key: string; first: string }>(KEYS, [tables])
  if (rows.length < tables.length) throw new Error('a table has no key')
  return rows.filter(({ first }) => first !== 'site_id').map(({ key }) => key)
}

const openSchema = async (t: Parameters<typeof createDatabase>[0]) => {
  const { url } = await createDatabase(t)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  t.teardown(() => client.end())
  const { rows } = await client.query<{ name: string }>(TABLES)
  return { client, tables: rows.map(({ name }) => name) }
}

t.test('every key of a site’s rows leads with site_id', async (t) => {
  const { client, tables } = await openSchema(t)
  t.ok(tables.length > 15, tables.join(' '))
  t.same(await listFaultyKeys(client, tables), [])
  await client.query(`
    create unique index planted on votes (thread_id, site_id);
    alter table claims drop constraint claims_pkey, add primary key (comment_id);
    alter table threads add unique (id), add column twin bigint references threads (id)`)
  const faults = await listFaultyKeys(client, tables)
  t.same(faults.sort(), ['claims_pkey', 'planted', 'threads.threads_twin_fkey', 'threads_id_key'])
})

type Declarations = ReadonlyMap<string, string>

/** The top-level declarations of files, by name. Names are unique enough: a clash checks too much. */
const readDeclarations = (sources: readonly string[]): Declarations => {
  const found = new Map<string, string>()
  for (const source of sources)
    for (const part of source.split(/^(?=(?:export )?(?:const|async function|function)\b)/m)) {
      const [, name] = /^(?:export )?(?:const|async function\*?|function\*?) (\w+)/.exec(part) ?? []
      if (name)
        found.set(
          name,
          `${found.get(name) ?? ''}\n${part.replace(/\/\*\*[\s\S]*?\*\/|\/\/.*|--.*/g, '')}`,
        )
    }
  return found
}

/** A declaration and all the declarations that it names: the text of its statements is among them. */
const expand = (name: string, all: Declarations, seen = new Set<string>()): string => {
  if (seen.has(name)) return ''
  seen.add(name)
  const text = all.get(name)!
  const named = new Set(text.match(/\b[A-Za-z_]\w*\b/g))
  return [
    text,
    ...[...named].filter((one) => all.has(one)).map((one) => expand(one, all, seen)),
  ].join('\n')
}

const KEYWORDS =
  /^(where|set|on|cross|left|inner|full|join|order|limit|group|union|using|for|and|values|select|returning|offset|do)$/

const toCamelCase = (name: string) => name.replace(/_([a-z])/g, (_, c) => c.toUpperCase())

const countMatches = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0

/** The tables, with their aliases, that a text mentions more often than their `site_id`. */
const listFaults = (text: string, tables: readonly string[]): string[] => {
  const references = new Map<string, number>()
  const pattern = new RegExp(
    `\\b(?:from|join|into|update|using|,) (${tables.join('|')})\\b(?! as materialized)(?: (?:as )?(\\w+))?`,
    'g',
  )
  for (const [, table, word] of text.matchAll(pattern)) {
    const alias = word && !KEYWORDS.test(word) ? word : ''
    const key = alias ? `${table} ${alias}` : table!
    references.set(key, (references.get(key) ?? 0) + 1)
  }
  const faults = [...references].filter(([key, count]) => {
    const [table, alias] = key.split(' ')
    const named = alias
      ? new RegExp(`\\b${alias}\\.site_id\\b`, 'g')
      : new RegExp(`(?<![.\\w])(?:${table}\\.)?site_id\\b`, 'g')
    return countMatches(text, named) < count
  })
  const built = tables.filter((table) =>
    new RegExp(
      `(?:selectFrom|updateTable|insertInto|deleteFrom)\\('${toCamelCase(table)}'\\)`,
    ).test(text),
  )
  return [...faults.map(([key]) => key), ...(/\bsiteId\b/.test(text) ? [] : built)]
}

/** Every node takes, hastens, counts and lists the jobs of all sites. */
const ALL_SITES = ['hastenJobs', 'listDueKinds', 'takeJobs', 'countJobs', 'listFailedKinds']

const listFaultyStatements = (sources: readonly string[], tables: readonly string[]): string[] => {
  const all = readDeclarations(sources)
  return [...all.keys()]
    .filter((name) => /\.execute|\bprepare[<(]/.test(all.get(name)!))
    .filter((name) => !ALL_SITES.includes(name))
    .flatMap((name) => listFaults(expand(name, all), tables).map((fault) => `${name}: ${fault}`))
}

t.test('every statement on a site’s rows names site_id', async (t) => {
  const { tables } = await openSchema(t)
  const sources = globSync('**/*.ts', { cwd: SRC }).map((file) =>
    readFileSync(join(SRC, file), 'utf8'),
  )
  t.same(listFaultyStatements(sources, tables), [])
})

t.test('a statement that names no site_id is found', async (t) => {
  const tables = ['comments', 'votes', 'comment_revisions']
  const faults: [source: string, fault: string][] = [
    ['const find = (db) => sql`select * from comments where id = 1`.execute(db)', 'find: comments'],
    [
      'const find = (db) => sql`select * from comments c join votes v on v.comment_id = c.id where c.site_id = 1`.execute(db)',
      'find: votes v',
    ],
    [
      'const inner = sql`select from comments c where c.id = 1`\nconst find = (db) => sql`select * from comments c where c.site_id = 1 and exists (`.append(inner).execute(db)',
      'find: comments c',
    ],
    ['const drop = (db) => sql`delete from votes where author_id = 1`.execute(db)', 'drop: votes'],
    ['const set = (db) => sql`update comments c set id = 1`.execute(db)', 'set: comments c'],
    ["const find = (db) => db.selectFrom('commentRevisions').execute()", 'find: comment_revisions'],
  ]
  for (const [source, fault] of faults)
    t.same(listFaultyStatements([source], tables), [fault], source)
})
