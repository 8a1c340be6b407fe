/** A statement as a server was sent it: `$n` stands for the nth parameter. */
export type Statement = { readonly text: string; readonly parameters: readonly (string | null)[] }

/** A file for pgbench, and the values that it needs as variables. */
export type Script = { readonly text: string; readonly values: Readonly<Record<string, string>> }

type LogLine = { pid?: number; dbname?: string; message?: string; detail?: string }

const EXECUTED = /^(?:execute [^:]+|statement): ([\s\S]*)$/
const PARAMETER = /\$\d+ = (NULL|'(?:[^']|'')*')/g

/**
 * Reads a `jsonlog` of Postgres written with `log_statement = all`.
 * @returns what each session of the database was sent, sessions and statements in order
 */
export const readSessions = (log: string, database: string): Statement[][] => {
  const lines = log.split('\n').filter(Boolean)
  const entries = lines.map((line): LogLine => JSON.parse(line))
  const ours = entries.filter(({ dbname, message = '' }) => {
    return dbname === database && EXECUTED.test(message)
  })
  const sessions = Map.groupBy(ours, ({ pid }) => pid)
  return [...sessions.values()].map((session) => session.map(toStatement))
}

const toStatement = ({ message = '', detail = '' }: LogLine): Statement => ({
  text: EXECUTED.exec(message)![1]!.trim(),
  parameters: [...detail.matchAll(PARAMETER)].map(([, literal]) =>
    literal === 'NULL' ? null : literal!.slice(1, -1).replaceAll("''", "'"),
  ),
})

/** What a statement binds to a parameter instead of the value that was seen, or undefined. */
export type Bind = (value: string) => string | undefined

type ScriptOptions = {
  /** Lines before the first statement: what is random in each transaction. */
  readonly setUp: readonly string[]
  readonly bind: Bind
}

/** The statements one after the other, word for word but for their parameters. */
export const toScript = (
  statements: readonly Statement[],
  { setUp, bind }: ScriptOptions,
): Script => {
  const values: Record<string, string> = {}
  const lines = statements.map((statement, n) => {
    const text = statement.text.replace(/;$/, '').replaceAll(/\$(\d+)/g, (_, number) => {
      const value = statement.parameters[Number(number) - 1]
      if (value === null || value === undefined) return 'null'
      const bound = bind(value)
      if (bound !== undefined) return bound
      const name = `s${n}p${number}`
      values[name] = value
      return `:${name}`
    })
    return `${text};`
  })
  return { text: `${[...setUp, ...lines].join('\n')}\n`, values }
}
