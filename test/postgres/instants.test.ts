import { sql } from 'kysely'
import t from 'tap'
import { openService } from '../service.ts'

t.test('a time of Postgres comes out as it goes over the wire', async (t) => {
  const { db } = await openService(t)
  const times: [string, string][] = [
    ['2026-11-23 09:30:00+00', '2026-11-23T09:30:00.000Z'],
    ['2026-11-23 09:30:00.1+00', '2026-11-23T09:30:00.100Z'],
    ['2026-11-23 09:30:00.12+00', '2026-11-23T09:30:00.120Z'],
    ['2026-11-23 09:30:00.125+00', '2026-11-23T09:30:00.125Z'],
    ['2026-11-23 09:30:00.125999+00', '2026-11-23T09:30:00.125Z'],
    ['2026-11-23 09:30:00.1+05:30', '2026-11-23T04:00:00.100Z'],
    ['0001-01-01 00:00:00+00', '0001-01-01T00:00:00.000Z'],
    ['9999-12-31 23:59:59.999+00', '9999-12-31T23:59:59.999Z'],
  ]
  for (const [written, expected] of times) {
    const { rows } = await sql<{ at: string }>`select ${written}::timestamptz as at`.execute(db)
    t.equal(rows[0]!.at, expected, written)
  }
})
