import { DEFAULT_POLICY } from '../../src/domain/screening/default-policy.ts'
import { ADMIN_KEY, type Bench, startService, using } from '../bench.ts'
import { sayAutocannon } from '../compare.ts'
import { atMost, quantile, say } from '../figures.ts'
import type { Job } from '../load/trial.ts'
import { threadPath, WHOLE } from '../pages.ts'
import type { Figure, Line, Row } from '../row.ts'
import { createConnection, send, sendWell } from '../servers/http.ts'

const CONNECTIONS = 20
const SECONDS = 4
const WORDS = 50_000
const SITES = ['stalling-a', 'stalling-b', 'stalling-c', 'stalling-d', 'stalling-e']
const READ = threadPath(77, WHOLE)
const STAFF = { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' }

const lineOf = (attack: string): Line => ({
  row: `longest wait of another site's reader while ${CONNECTIONS} connections ${attack}`,
  against: '',
  goal: atMost(50),
})

const LINES = {
  draft: lineOf(`screen a draft of ${WORDS.toLocaleString('en')} words`),
  simulation: lineOf(`simulate a policy of ${WORDS.toLocaleString('en')} words`),
  posts: lineOf(`post to five sites whose ${WORDS.toLocaleString('en')} words are not compiled`),
}

const policyOf = (prefix: string) => {
  const spam = Array.from({ length: WORDS }, (_, n) => `${prefix} word${n.toString(36)}`)
  return {
    rules: { ...DEFAULT_POLICY.rules, words: { mode: 'enforce', pending: [], spam, rejected: [] } },
  }
}

type Attack = Omit<Job, 'url' | 'seconds' | 'connections'>

const draftAt = (path: string, more: object): Attack => ({
  method: 'POST',
  headers: STAFF,
  body: JSON.stringify({ policy: policyOf('draft'), ...more }),
  asks: [{ path: `/v1/sites/${SITES[0]}/moderation/${path}` }],
})

const POSTS: Attack = {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ body: 'I agree.', author: { name: 'Ada' } }),
  asks: SITES.map((site) => ({ path: `/v1/sites/${site}/articles/1/comments` })),
}

/** Reads a cached page over and over while the load process attacks a node that has just started. */
const measure = (bench: Bench, attack: Attack): Promise<Figure> =>
  using([() => startService(bench, bench.small)], async (service) => {
    const url = service!.url
    const agent = createConnection()
    for (let n = 0; n < 200; n++) await sendWell(`${url}${READ}`, { agent })
    const waits: number[] = []
    let isOver = false
    const attacked = bench.load
      .run({ ...attack, url, connections: CONNECTIONS, seconds: SECONDS })
      .finally(() => {
        isOver = true
      })
    while (!isOver) {
      const begun = performance.now()
      await sendWell(`${url}${READ}`, { agent })
      waits.push(performance.now() - begun)
    }
    await attacked
    agent.destroy()
    const [path] = attack.asks.map((ask) => ask.path)
    return {
      value: Math.max(...waits),
      unit: 'ms',
      command: sayAutocannon(CONNECTIONS, SECONDS, `-m POST -i BODY '${path}'`),
      note: `The median of ${waits.length} reads is ${say(quantile(waits, 0.5))} ms, the 99th percentile ${say(quantile(waits, 0.99))} ms.`,
    }
  })

/** What a site's most expensive requests cost the readers of another. */
export const STALLS: Row = {
  changes: true,
  lines: [LINES.draft, LINES.simulation, LINES.posts],
  run: async (bench) => {
    await using([() => startService(bench, bench.small)], async (service) => {
      for (const slug of SITES) {
        const options = { headers: STAFF, json: { slug, name: slug } }
        await send(`${service!.url}/v1/sites`, options)
        const path = `${service!.url}/v1/sites/${slug}/moderation/policy`
        await sendWell(path, { ...options, method: 'PUT', json: { policy: policyOf(slug) } })
      }
    })
    return [
      await measure(bench, draftAt('screenings', { body: 'Good day.' })),
      await measure(bench, draftAt('simulations', { days: 7 })),
      await measure(bench, POSTS),
    ]
  },
}
