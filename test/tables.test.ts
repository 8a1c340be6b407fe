import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import t from 'tap'
import { createDatabase } from './servers.ts'

const FILE = join(import.meta.dirname, '../src/postgres/connection/tables.ts')

type Column = { nullable: boolean; always: boolean; byDefault: boolean; values: string[] }
type Schema = Record<string, Record<string, Column>>

const toSnakeCase = (name: string): string => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)

/** Reads `type XTable = { name: Type … }`, and which of them are tables, without a compiler. */
const readTypes = (source: string): Schema => {
  const bodies = new Map(
    [...source.matchAll(/type (\w+) = \{([^}]*)\}/g)].map(([, name, body]) => [name!, body!]),
  )
  const tables = [...bodies.get('Tables')!.matchAll(/(\w+): (\w+)/g)]
  return Object.fromEntries(
    tables.map(([, table, type]) => [
      toSnakeCase(table!),
      Object.fromEntries(
        [...bodies.get(type!)!.matchAll(/(\w+): ([^\n;]+)/g)].map(([, name, column]) => [
          toSnakeCase(name!),
          readType(column!.trim()),
        ]),
      ),
    ]),
  )
}

const readType = (type: string): Column => ({
  nullable: type.includes('| null'),
  always: type.startsWith('GeneratedAlways<'),
  byDefault: type.startsWith('Generated<'),
  values: [...type.matchAll(/'([^']+)'/g)].map(([, value]) => value!),
})

const QUERY = `
  select table_name, column_name, is_nullable = 'YES' as nullable,
    coalesce(is_generated = 'ALWAYS' or identity_generation = 'ALWAYS', false) as always,
    column_default is not null as "byDefault",
    array(select enumlabel::text from pg_enum join pg_type on pg_type.oid = enumtypid
      where typname = udt_name order by enumsortorder) as values
  from information_schema.columns
  where table_schema = 'public' and table_name <> 'migrations'`

const readSchema = async (url: string): Promise<Schema> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query(QUERY)
  await client.end()
  const schema: Schema = {}
  for (const { table_name: table, column_name: name, ...column } of rows) {
    schema[table] = { ...schema[table], [name]: column }
  }
  return schema
}

t.test('tables.ts describes the tables that the migrations create', async (t) => {
  const { url } = await createDatabase(t)
  const said = readTypes(readFileSync(FILE, 'utf8'))
  const made = await readSchema(url)
  t.same(Object.keys(said).sort(), Object.keys(made).sort(), 'tables')
  for (const [table, columns] of Object.entries(made)) {
    t.same(Object.keys(said[table] ?? {}).sort(), Object.keys(columns).sort(), `${table}: columns`)
    for (const [name, { values, ...column }] of Object.entries(columns)) {
      const { values: saidValues = [], ...saidColumn } = said[table]?.[name] ?? {}
      t.same(saidColumn, column, `${table}.${name}: null, generated, default`)
      if (saidValues.length > 0) t.same(saidValues, values, `${table}.${name}: its values`)
    }
  }
})

t.test('the guard of tables.ts notices a column that differs', async (t) => {
  const { sites } = readTypes(
    'type Tables = {\n a: X\n sites: S\n}\ntype S = {\n  id: string | null\n}\ntype X = {}',
  )
  t.match(sites, { id: { nullable: true, always: false } })
})
