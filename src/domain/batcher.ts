const MAX_BATCH = 1_000

type Batch<Query, Result> = {
  /** The queries in order, and the place of each key. */
  readonly queries: Query[]
  readonly places: Map<string, number>
  readonly results: Promise<readonly Result[]>
  /** How many calls wait for this batch; several can have the same query. */
  calls: number
}

/** The least time between two batches, so that calls share them instead of a system call for each. */
export type Spacing = {
  readonly ms: number
  /** The time after a batch of at least `busyCalls`. */
  readonly busyMs: number
  readonly busyCalls: number
  /** A batch for this many calls is sent without a wait. */
  readonly enoughCalls: number
}

/**
 * Loads many results together, one batch after the other. All queries of one turn of the event loop are
 * one batch; queries that arrive while a batch runs wait for the next, because the result of the running
 * batch can be older than the query.
 * @param load returns results in the order of the queries; if it rejects, all queries of the batch do
 * @param keyOf queries with the same key share a result
 * @param spacing by default none: the first of many queries is sent immediately in any case
 */
export const createBatcher = <Query, Result>(
  load: (queries: readonly Query[]) => Promise<readonly Result[]>,
  keyOf: (query: Query) => string,
  spacing?: Spacing,
): ((query: Query) => Promise<Result>) => {
  let underWay: Promise<unknown> = Promise.resolve()
  let waiting: Batch<Query, Result> | undefined
  let endPause = (): void => {}

  const send = async (batch: Batch<Query, Result>): Promise<readonly Result[]> => {
    if (waiting === batch) waiting = undefined
    return load(batch.queries)
  }

  const pauseAfter = ({ calls }: Batch<Query, Result>): Promise<void> | undefined => {
    if (!spacing) return undefined
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, calls < spacing.busyCalls ? spacing.ms : spacing.busyMs)
    endPause = () => {
      clearTimeout(timer)
      resolve()
    }
    return promise
  }

  const open = (): Batch<Query, Result> => {
    const sent = underWay.then(endOfTurn)
    const batch: Batch<Query, Result> = {
      queries: [],
      places: new Map(),
      results: sent.then(() => send(batch)),
      calls: 0,
    }
    underWay = Promise.all([batch.results.catch(() => {}), sent.then(() => pauseAfter(batch))])
    return batch
  }

  return (query) => {
    const key = keyOf(query)
    if (waiting === undefined || waiting.queries.length >= MAX_BATCH) waiting = open()
    const { queries, places, results } = waiting
    const place = places.get(key) ?? queries.length
    places.set(key, place)
    queries[place] = query
    waiting.calls += 1
    if (waiting.calls === spacing?.enoughCalls) endPause()
    return results.then((found) => found[place]!)
  }
}

const endOfTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))
