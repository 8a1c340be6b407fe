import type { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { ADMIN_KEY, startService, using } from '../bench.ts'
import { atMost, median, quantile, say } from '../figures.ts'
import type { Row } from '../row.ts'
import { createConnection, sendWell } from '../servers/http.ts'

const READERS = 8
const ARTICLE = 'decided'
const THREAD = `/v1/sites/default/articles/${ARTICLE}/comments`
/** The pause between two reads of one reader. All readers together read about once per millisecond. */
const PAUSE_MS = 5
const SEEN_MS = 2_000
/** Reads that start within this time after a decision count before the next comment. */
const WATCH_MS = 20

/** A finished read. */
type Read = { readonly begun: number; readonly text: string }
type Decided = { readonly id: string; readonly answered: number }

/** Reads the thread repeatedly until the signal aborts. */
const keepReading = async (
  url: string,
  agent: Agent,
  { signal, onRead }: { signal: AbortSignal; onRead: (read: Read) => void },
): Promise<void> => {
  while (!signal.aborted) {
    const begun = performance.now()
    const { body } = await sendWell(`${url}${THREAD}`, { agent })
    onRead({ begun, text: body.toString() })
    await sleep(PAUSE_MS)
  }
}

/** Posts one comment after another and rejects each after a reader has seen it. */
const decideAll = async (
  url: string,
  times: number,
  isSeen: (id: string) => boolean,
  onDecided: (decided: Decided) => void,
): Promise<{ latencies: number[]; unseen: number }> => {
  const agent = createConnection()
  const headers = { authorization: `Bearer ${ADMIN_KEY}` }
  const latencies: number[] = []
  let unseen = 0
  for (let n = 0; n < times; n++) {
    const json = { body: `Fresh comment ${n}`, author: { name: 'Mallory' } }
    const { body } = await sendWell(`${url}${THREAD}`, { json, agent })
    const { id } = JSON.parse(body.toString())
    const posted = performance.now()
    while (!isSeen(id) && performance.now() - posted < SEEN_MS) await sleep(1)
    if (!isSeen(id)) unseen += 1
    const begun = performance.now()
    await sendWell(`${url}/v1/sites/default/comments/${id}/decisions`, {
      json: { from: 'approved', to: 'rejected' },
      headers,
      agent,
    })
    const answered = performance.now()
    latencies.push(answered - begun)
    onDecided({ id, answered })
    await sleep(WATCH_MS)
  }
  agent.destroy()
  return { latencies, unseen }
}

export const DECISIONS: Row = {
  changes: true,
  lines: [
    {
      row: 'decision on node A until node B stops showing it',
      against:
        "the decision's own answer, 99th percentile; no read begun after it shows the comment",
      goal: atMost(50),
    },
  ],
  run: (bench) =>
    using(
      [() => startService(bench, bench.small), () => startService(bench, bench.small)],
      async (a, b) => {
        const watch = createWatch()
        const end = new AbortController()
        const agents = Array.from({ length: READERS }, createConnection)
        await sendWell(`${a!.url}${THREAD}`, {
          json: { body: 'It stays.', author: { name: 'Ada' } },
        })
        const reading = Promise.all(
          agents.map((agent) =>
            keepReading(b!.url, agent, { signal: end.signal, onRead: watch.onRead }),
          ),
        )
        const deciding = decideAll(a!.url, bench.decisions, watch.isSeen, watch.onDecided)
        const { latencies, unseen } = await deciding.finally(() => end.abort())
        await reading
        for (const agent of agents) agent.destroy()
        const { reads, late } = watch.counts()
        return [
          {
            value: quantile(latencies, 0.99),
            low: Math.min(...latencies),
            high: Math.max(...latencies),
            unit: 'ms',
            command: `POST …/decisions on A, one after another; ${READERS} readers of GET ${THREAD} on B, ${PAUSE_MS} ms apart`,
            note:
              `${late} reads showed what had been rejected, of ${reads}; ${bench.decisions} decisions, ` +
              `median ${say(median(latencies))} ms; ${unseen} comments were not seen before.`,
            ...((late > 0 || unseen > 0) && { holds: false as const }),
          },
        ]
      },
    ),
}

/** Counts the reads that showed a rejected comment. */
const createWatch = () => {
  const decided: Decided[] = []
  let newest = ''
  let reads = 0
  let late = 0
  return {
    isSeen: (id: string) => newest.includes(`"${id}"`),
    onDecided: (one: Decided) => void decided.push(one),
    onRead: ({ begun, text }: Read) => {
      newest = text
      reads += 1
      const shows = ({ id, answered }: Decided) => begun > answered && text.includes(`"${id}"`)
      if (decided.some(shows)) late += 1
    },
    counts: () => ({ reads, late }),
  }
}
