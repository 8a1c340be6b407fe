import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  sql,
} from 'kysely'
import pg from 'pg'
import type { Db } from '../../src/postgres/connection/db.ts'

export type Plan = { [field: string]: any; Plans?: Plan[] }

/** The plan of one statement. */
export type Explained = {
  nodes: Plan[]
  /** The most rows that were read of one of the tables, those that a filter dropped included. */
  rows: number
  buffers: number
  ms: number
}

/** Runs a query of ours, but asks Postgres for the plan in its place; the fastest of three. */
export const explain = async (
  db: Db,
  ask: (db: Db) => Promise<unknown>,
  ...tables: string[]
): Promise<Explained> => {
  const runs = []
  for (let run = 0; run < 3; run++)
    runs.push(await explainOnce(db, ask, tables.length > 0 ? tables : ['comments']))
  return runs.sort((a, b) => a.ms - b.ms)[0]!
}

/** As a connection of ours runs it that has run it before: prepared, with a plan for all values. */
const explainOnce = async (
  db: Db,
  ask: (db: Db) => Promise<unknown>,
  tables: readonly string[],
): Promise<Explained> => {
  let answer: any
  await db.connection().execute(async (session) => {
    const { text, values } = await textOf(ask)
    await sql.raw(`prepare asked as ${text}`).execute(session)
    const literals = values.map(toLiteral).join(', ')
    const execute = sql.raw(`explain (analyze, buffers, format json) execute asked (${literals})`)
    const { rows } = await execute.execute(session)
    answer = Object.values(rows[0]!)[0]
    await sql`deallocate asked`.execute(session)
  })
  const [{ Plan: plan, 'Execution Time': ms }] = answer
  const nodes = listNodes(plan)
  const countRows = (table: string): number =>
    nodes
      .filter((node) => node['Relation Name'] === table)
      .reduce((sum, scan) => {
        const dropped =
          (scan['Rows Removed by Filter'] ?? 0) + (scan['Rows Removed by Index Recheck'] ?? 0)
        return sum + (scan['Actual Rows'] + dropped) * scan['Actual Loops']
      }, 0)
  return {
    nodes,
    rows: Math.round(Math.max(...tables.map(countRows))),
    buffers: plan['Shared Hit Blocks'] + plan['Shared Read Blocks'],
    ms,
  }
}

const toLiteral = (value: unknown): string =>
  pg.escapeLiteral(Array.isArray(value) ? `{${value.join(',')}}` : String(value))

/** The statement as Kysely sends it. */
const textOf = async (ask: (db: Db) => Promise<unknown>) => {
  const asked: CompiledQuery[] = []
  const dialect = {
    createDriver: () => new DummyDriver(),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createAdapter: () => new PostgresAdapter(),
    createIntrospector: (db: Kysely<unknown>) => new PostgresIntrospector(db),
  }
  await ask(new Kysely({ dialect, log: ({ query }) => void asked.push(query) }))
  return { text: asked[0]!.sql, values: asked[0]!.parameters }
}

export const listNodes = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(listNodes)]
