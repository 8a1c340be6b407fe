import { startBare, startService, using } from '../bench.ts'
import { loadSide, sayAutocannon } from '../compare.ts'
import { atLeast } from '../figures.ts'
import type { Row } from '../row.ts'
import { type Answer, send, sendWell } from '../servers/http.ts'
import { BARE, CONNECTIONS, compareTwo, pageHeaders, pageSide, THREAD } from './beside-bare.ts'

const UNCHANGED = 304

const assertUnchanged = ({ status, body }: Answer): void => {
  if (status !== UNCHANGED || body.length > 0)
    throw new Error(`a conditional request was answered ${status}`)
}

/** Conditional requests, as a browser with a cached page sends them. */
export const CONDITIONAL: Row = {
  lines: [
    {
      row: 'conditional GET, 304',
      against: `${BARE}: a 200 with all of them`,
      goal: atLeast(1.5),
    },
  ],
  run: (bench) =>
    using([() => startService(bench, bench.big)], async (service) => {
      const page = await sendWell(`${service!.url}${THREAD}`)
      const headers = { 'if-none-match': page.headers.etag! }
      assertUnchanged(await send(`${service!.url}${THREAD}`, { headers }))
      const bytes = { body: page.body, headers: pageHeaders(page) }
      return using([() => startBare(bench, bytes, 'warn')], async (bare) => {
        const ours = loadSide(bench, {
          name: 'service, 304',
          server: service!,
          status: UNCHANGED,
          job: () => ({ connections: CONNECTIONS, headers, asks: [{ path: THREAD }] }),
        })
        const theirs = pageSide(bench, bare!, { name: 'bare, 200', path: THREAD })
        const figure = await compareTwo(bench, [ours, theirs], {
          command: sayAutocannon(CONNECTIONS, bench.seconds, `-H if-none-match=… '${THREAD}'`),
          note: `${page.body.length} bytes on the bare side; LOG_LEVEL=warn.`,
        })
        return [figure]
      })
    }),
}
