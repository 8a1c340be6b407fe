import { startService } from '../bench.ts'
import { atMost, spreadOf } from '../figures.ts'
import type { Row } from '../row.ts'

const STARTS = 5

/** A node of a service in use: the database is migrated and the page was read before. */
export const START: Row = {
  lines: [
    {
      row: 'start to first 200, external existing database',
      against: '',
      goal: atMost(500),
    },
  ],
  run: async (bench) => {
    const times: number[] = []
    for (let n = 0; n < STARTS; n++) {
      const begun = performance.now()
      const service = await startService(bench, bench.big, {}, THREAD)
      times.push(performance.now() - begun)
      await service.stop()
    }
    return [
      {
        ...spreadOf(times),
        unit: 'ms',
        command: `node src/main.ts, and GET ${THREAD} until it is answered 200`,
        note: `The median of ${STARTS} starts.`,
      },
    ]
  },
}

const THREAD = '/v1/sites/default/articles/77/comments'
