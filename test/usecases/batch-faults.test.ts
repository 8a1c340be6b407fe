import { sql } from 'kysely'
import t from 'tap'
import { settle, stopClock } from '../by-hand.ts'
import { recount } from '../recount.ts'
import { during, openPosting, type Result, untilSomebodyWaits } from './posting.ts'

const isPosted = (result: Result): boolean => typeof result !== 'string'

t.test('Posts whose connection is lost', async (t) => {
  const { service, invalidations, post, publish } = await openPosting(t)
  const [{ comment }] = [(await publish([{}]))[0]!]
  const { threadId } = comment
  const thread = sql`select pg_advisory_xact_lock(${threadId}::bigint)`
  const cut = async () => {
    for (const pid of await untilSomebodyWaits(service))
      await sql`select pg_terminate_backend(${pid}::int)`.execute(service.db)
  }
  const body = (text: string) => ({ body: text })
  const stored = async () =>
    new Set((await sql<any>`select body from comments`.execute(service.db)).rows.map((r) => r.body))

  t.test(
    'posts whose connection is lost are refused as unknown, and new ones are written',
    async (t) => {
      stopClock(t)
      const { first, rest } = await during(service, thread, async () => {
        const first = post([body('a')])
        await untilSomebodyWaits(service)
        const rest = post([body('b'), body('c')])
        await settle()
        await cut()
        return { first, rest }
      })
      t.same(await first, ['unavailable'])
      t.ok((await rest).every(isPosted))
      t.notOk((await stored()).has('a'))
    },
  )

  t.test('posts that have waited too long fail with those whose connection is lost', async (t) => {
    const clock = stopClock(t)
    const { results } = await during(service, thread, async () => {
      const first = post([body('d')])
      await untilSomebodyWaits(service)
      const early = post([body('e'), body('f')])
      await settle()
      clock.pass(201)
      const late = post([body('g')])
      await settle()
      await cut()
      t.same(await first, ['unavailable'])
      t.same(await early, ['unavailable', 'unavailable'])
      return { results: late }
    })
    t.ok((await results).every(isPosted))
    const bodies = await stored()
    t.same(
      ['d', 'e', 'f', 'g'].filter((text) => bodies.has(text)),
      ['g'],
    )
  })

  t.test(
    'posts whose connection is lost invalidate caches if they may have been written',
    async (t) => {
      await sql`create function wait_at_commit() returns trigger language plpgsql as $$ begin
      perform pg_advisory_xact_lock(0, 1); return null; end $$`.execute(service.db)
      await sql`create constraint trigger wait_at_commit after insert on comments
      deferrable initially deferred for each row when (new.body = 'h')
      execute function wait_at_commit()`.execute(service.db)
      const before = invalidations.length
      await during(service, sql`select pg_advisory_xact_lock(0, 1)`, async () => {
        const results = post([body('h')])
        await cut()
        t.same(await results, ['unavailable'])
      })
      t.same(invalidations.slice(before), [['1', `1:${threadId}`]])
    },
  )

  t.test('posts whose commit fails are not written a second time', async (t) => {
    await sql`create sequence attempts`.execute(service.db)
    await sql`create function fail_once() returns trigger language plpgsql as $$ begin
      if nextval('attempts') = 1 then raise 'once'; end if; return null; end $$`.execute(service.db)
    await sql`create constraint trigger fail_once after insert on comments
      deferrable initially deferred for each row when (new.body like 'commit %')
      execute function fail_once()`.execute(service.db)
    t.ok((await post([body('i')])).every(isPosted))
    t.notOk((await post([body('commit j'), body('k'), body('l')])).some(isPosted))
    const bodies = await stored()
    t.same(
      ['i', 'commit j', 'k', 'l'].filter((text) => bodies.has(text)),
      ['i'],
    )
  })

  t.test(
    'posts whose connection is lost leave nothing in memory and every count right',
    async (t) => {
      await settle()
      t.equal(service.posts.open.size, 0)
      t.same(await recount(service.db), [])
    },
  )
})
