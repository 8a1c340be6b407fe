import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Bench, startService } from '../bench.ts'
import { atMost, spreadOf } from '../figures.ts'
import type { Figure, Row } from '../row.ts'
import type { Running } from '../servers/processes.ts'

const STARTS = 5
const THREAD = '/v1/sites/default/articles/77/comments'

/** The first start writes the bundle and compiles it, so it does not count. */
const measureStarts = async (start: () => Promise<Running>): Promise<Figure> => {
  await (await start()).stop()
  const times: number[] = []
  for (let n = 0; n < STARTS; n++) {
    const begun = performance.now()
    const service = await start()
    times.push(performance.now() - begun)
    await service.stop()
  }
  return {
    ...spreadOf(times),
    unit: 'ms',
    command: `node src/main.ts, and GET ${THREAD} until it is answered 200`,
    note: `The median of ${STARTS} starts.`,
  }
}

/** A node without data: it creates the database cluster, starts Postgres and migrates. */
const startEmpty = (bench: Bench): Promise<Running> => {
  const folder = join(bench.folder, 'empty')
  rmSync(folder, { recursive: true, force: true })
  const settings = { DATABASE_URL: '', REDIS_URL: '', AFTERWORD_DATA: folder }
  return startService(bench, bench.small, settings, '/readyz')
}

/** A node of a service in use, whose database is migrated, and a node that starts for the first time. */
export const START: Row = {
  lines: [
    {
      row: 'start to first 200, external existing database',
      against: '',
      goal: atMost(300),
    },
    {
      row: 'first ever start to first 200, embedded',
      against: '',
      goal: atMost(1_500),
    },
  ],
  run: async (bench) => [
    await measureStarts(() => startService(bench, bench.big, {}, THREAD)),
    {
      ...(await measureStarts(() => startEmpty(bench))),
      command:
        'node src/main.ts with an empty AFTERWORD_DATA, and GET /readyz until it is answered 200',
    },
  ],
}
