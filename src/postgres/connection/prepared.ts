import {
  CamelCasePlugin,
  type CompiledQuery,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type RawBuilder,
  sql,
} from 'kysely'
import type { Tables } from './tables.ts'

/** Stands for a value in the text of a statement. */
class Place {
  readonly key: string

  constructor(key: string) {
    this.key = key
  }
}

/** A statement with its values. */
export type Query<Row = unknown> = CompiledQuery<Row>

type Places<Values> = { readonly [Key in keyof Values]: RawBuilder<Values[Key]> }

/** A statement of `sql`, or of Kysely's builder. */
type Written<Row> = { readonly compile: (compiler: Compiler) => CompiledQuery<Row> }
type Compiler = Kysely<Tables>

/** A statement whose text never changes. It takes the values of one run. */
export type Prepared<Values, Row> = (values: Values) => Query<Row>

/**
 * Prepares a statement that runs often: its text is built at the first run, and later runs only take values.
 * @param write returns the statement with places instead of values; it runs once
 */
export const prepare = <Values extends object, Row>(
  write: (places: Places<Values>, compiler: Compiler) => Written<Row>,
): Prepared<Values, Row> => {
  let built: { readonly template: Query; readonly parameters: readonly unknown[] }
  return (values) => {
    built ??= build(write)
    const { template, parameters } = built
    return {
      ...(template as Query<Row>),
      parameters: parameters.map((one) =>
        one instanceof Place ? values[one.key as keyof Values] : one,
      ),
    }
  }
}

/** The parts of a dialect that need no connection. */
export const COMPILING = {
  createQueryCompiler: () => new PostgresQueryCompiler(),
  createAdapter: () => new PostgresAdapter(),
  createIntrospector: (db: Kysely<any>) => new PostgresIntrospector(db),
}

const createCompiler = (): Compiler =>
  new Kysely({
    dialect: { ...COMPILING, createDriver: () => new DummyDriver() },
    plugins: [new CamelCasePlugin()],
  })

const PLACES = new Proxy({}, { get: (_, key: string) => sql.val(new Place(key)) })

const build = <Values, Row>(
  write: (places: Places<Values>, compiler: Compiler) => Written<Row>,
) => {
  const compiler = createCompiler()
  const compiled = write(PLACES as Places<Values>, compiler).compile(compiler)
  const kept: unknown[] = []
  // Kysely gives each mention of a value a number of its own.
  const numbers = compiled.parameters.map((one) => {
    const at = kept.findIndex((other) => isSame(one, other))
    return at >= 0 ? at + 1 : kept.push(one)
  })
  let mentions = 0
  const text = compiled.sql.replace(/\$(\d+)/g, (_, number) => {
    if (Number(number) !== ++mentions) throw new Error(`not a parameter: $${number}`)
    return `$${numbers[mentions - 1]}`
  })
  return { template: { ...compiled, sql: text }, parameters: kept }
}

const isSame = (one: unknown, other: unknown): boolean =>
  one instanceof Place && other instanceof Place ? one.key === other.key : one === other
