import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import t from 'tap'
import { countRows, makeLines, openListening, ROOT, writeLines } from '../scripts/run-load.ts'
import type { TestService } from '../service.ts'

const REAL_FILE = join(ROOT, '../shared/data/threads/made-mistakes.jsonl')
const skipWithoutFile = existsSync(REAL_FILE) ? {} : { skip: `there is no ${REAL_FILE}` }
const GIVE_UP_MS = 20_000

const untilRows = async (service: TestService, wanted: number): Promise<void> => {
  for (const begun = Date.now(); (await countRows(service)) < wanted; await sleep(5))
    if (Date.now() - begun > GIVE_UP_MS) throw new Error(`there are never ${wanted} comments`)
}

t.test(
  'npm run load: a second run posts nothing, even when no Idempotency-Key is remembered',
  async (t) => {
    const { service, load } = await openListening(t)
    const file = await writeLines(t, makeLines(2, 30))
    await load(file)
    await sql`delete from idempotency_keys`.execute(service.db)
    const second = await load(file)
    t.match(second, { code: 0, err: '' })
    t.match(second.out, /^0 of 60 posted/m)
    t.equal(await countRows(service), 60)
  },
)

t.test('npm run load continues a killed run', async (t) => {
  const { service, start, load } = await openListening(t)
  const file = await writeLines(t, makeLines(3, 40))
  for (const rows of [25, 70]) {
    const child = start(file)
    await untilRows(service, rows)
    child.kill('SIGKILL')
    await once(child, 'exit')
    t.ok((await countRows(service)) < 120, 'killed on the way')
  }
  const last = await load(file)
  t.match(last, { code: 0, err: '' })
  t.match(last.out, /\b120 of 120 came back/)
  t.equal(await countRows(service), 120)
})

t.test('npm run load: every comment of a real file comes back', skipWithoutFile, async (t) => {
  const { service, load } = await openListening(t)
  const { code, out, err } = await load(REAL_FILE)
  t.equal(err, '')
  t.equal(code, 0)
  t.match(out, /\b720 of 720 came back/)
  t.match((await load(REAL_FILE)).out, /^0 of 720 posted/m)
  t.equal(await countRows(service), 720)
})
