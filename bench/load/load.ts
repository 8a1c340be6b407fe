import autocannon, { type Client } from 'autocannon'

/**
 * The process that loads a server with autocannon. It takes one trial after another from its parent and
 * keeps running, so that no trial includes its start.
 */

export type Ask = {
  readonly path: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

export type Job = {
  readonly url: string
  readonly connections: number
  readonly seconds: number
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
  /** Paths, divided among the connections. Each connection repeats its own paths in turn. */
  readonly asks: readonly Ask[]
}

export type Trial = {
  /** Responses per second between the first and the last one. */
  readonly rate: number
  readonly answers: number
  /** Received bytes, headers included. */
  readonly bytesPerAnswer: number
  readonly statuses: Readonly<Record<string, number>>
  /** Connections that broke, and requests that took more than 10 s. */
  readonly failures: number
}

/** The interval at which autocannon checks for the end of the trial. */
const SAMPLE_MS = 50
const TIMEOUT_SECONDS = 10

const runJob = ({ asks, seconds, ...rest }: Job): Promise<Trial> =>
  new Promise((resolve, reject) => {
    let turn = 0
    const seen = { answers: 0, bytes: 0, first: 0, last: 0 }
    const options = {
      ...rest,
      duration: seconds,
      sampleInt: SAMPLE_MS,
      timeout: TIMEOUT_SECONDS,
      setupClient: (client: Client) => {
        client.setRequests(deal(asks, turn++, rest.connections))
        // Decoding the bodies to text would cost time, and the trial does not read them.
        client.pipelinedRequests.addBody = () => {}
      },
    }
    const instance = autocannon(options, (error, result) => {
      if (error) return reject(error)
      const { answers, bytes, first, last } = seen
      const counts = Object.entries(result.statusCodeStats)
      resolve({
        rate: ((answers - 1) * 1000) / (last - first),
        answers,
        bytesPerAnswer: bytes / answers,
        statuses: Object.fromEntries(counts.map(([status, { count }]) => [status, count])),
        failures: result.errors + result.timeouts,
      })
    })
    instance.on('response', (_client, _status, bytes) => {
      seen.last = performance.now()
      seen.first ||= seen.last
      seen.answers += 1
      seen.bytes += bytes
    })
  })

const deal = (asks: readonly Ask[], turn: number, connections: number): Ask[] => {
  const own = asks.filter((_, i) => i % connections === turn % connections)
  return (own.length > 0 ? own : asks).map((ask) => ({ ...ask }))
}

process.on('message', (job: Job) => {
  runJob(job).then(
    (trial) => process.send!({ trial }),
    (error: Error) => process.send!({ error: error.message }),
  )
})

/** The parent has ended or has no more trials. */
process.on('disconnect', () => process.exit(0))
