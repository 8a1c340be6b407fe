const MAX_BATCH = 1_000

type Batch<Query, Result> = {
  readonly queries: Map<string, Query>
  readonly results: Promise<ReadonlyMap<string, Result>>
}

/**
 * Loads many results together, one batch after the other. All queries of one turn of the event loop are
 * one batch; queries that arrive while a batch runs wait for the next, because the result of the running
 * batch can be older than the query.
 * @param load returns results in the order of the queries; if it rejects, all queries of the batch do
 * @param spacingMs the least time between two batches: the first of many queries is sent immediately and
 *   the others together, instead of one system call for each
 */
export const createBatcher = <Query, Result>(
  load: (queries: readonly Query[]) => Promise<readonly Result[]>,
  keyOf: (query: Query) => string,
  spacingMs = 0,
): ((query: Query) => Promise<Result>) => {
  let underWay: Promise<unknown> = Promise.resolve()
  let waiting: Batch<Query, Result> | undefined

  const send = async (queries: Map<string, Query>): Promise<Map<string, Result>> => {
    if (waiting?.queries === queries) waiting = undefined
    const results = await load([...queries.values()])
    return new Map([...queries.keys()].map((key, i) => [key, results[i]!]))
  }

  const open = (): Batch<Query, Result> => {
    const queries = new Map<string, Query>()
    const sent = underWay.then(endOfTurn)
    const results = sent.then(() => send(queries))
    const spaced = spacingMs > 0 ? sent.then(() => pause(spacingMs)) : sent
    underWay = Promise.all([results.catch(() => {}), spaced])
    return { queries, results }
  }

  return async (query) => {
    const key = keyOf(query)
    if (waiting === undefined || waiting.queries.size >= MAX_BATCH) waiting = open()
    waiting.queries.set(key, query)
    return (await waiting.results).get(key)!
  }
}

const endOfTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))
const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms))
