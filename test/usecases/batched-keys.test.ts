import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import { type IdempotencyKey, lockIdempotencyKeys } from '../../src/postgres/service/idempotency.ts'
import type { Posted } from '../../src/usecases/posting/post-comment.ts'
import { recount } from '../recount.ts'
import { during, openPosting, untilSomebodyWaits } from './posting.ts'

const hash = (text: string): Buffer => createHash('sha256').update(text).digest()

const idempotencyKey = (key: string, body: string): IdempotencyKey => ({
  siteId: 1,
  keyHash: hash(key),
  bodyHash: hash(body),
})

const keyed = (key: string, body = 'text') => ({ body, idempotencyKey: idempotencyKey(key, body) })

/** Returns a value as it is after storage as JSON. */
const kept = (posted: unknown) => JSON.parse(JSON.stringify(posted))

t.test('Idempotency-Keys of posts that share a transaction', async (t) => {
  const { service, invalidations, post, publish } = await openPosting(t)
  const countComments = async (): Promise<number> =>
    (await sql<any>`select count(*) as n from comments`.execute(service.db)).rows[0].n

  t.test(
    'equal posts with one Idempotency-Key in one transaction give one comment and one response',
    async (t) => {
      const before = await countComments()
      const results = await post([{}, keyed('one'), keyed('two'), keyed('one'), keyed('one')])
      const [one, two, ...rest] = results.slice(1)
      t.same(rest, [one, one], 'the guest who is given a token included')
      t.not((one as Posted).comment.id, (two as Posted).comment.id)
      t.equal(await countComments(), before + 3)
    },
  )

  t.test('different posts with one Idempotency-Key in one transaction are refused', async (t) => {
    const before = await countComments()
    const results = await post([{}, keyed('three', 'a'), keyed('three', 'b'), keyed('three', 'a')])
    t.equal(results[2], 'idempotency_key_reused')
    t.same(results[3], results[1])
    t.equal(await countComments(), before + 2)
  })

  t.test(
    'an Idempotency-Key of a group commit is found by later requests, alone or grouped',
    async (t) => {
      const first = kept((await post([{}, keyed('four')]))[1])
      const before = await countComments()
      t.same(await post([keyed('four')]), [first])
      const count = invalidations.length
      t.same(await post([keyed('four'), keyed('four', 'another'), keyed('four')]), [
        first,
        'idempotency_key_reused',
        first,
      ])
      t.equal(
        invalidations.length,
        count + 1,
        'the replays invalidate again, in case the first write did not',
      )
      t.equal(await countComments(), before)
    },
  )

  t.test('an Idempotency-Key of a refused post in a group commit is not remembered', async (t) => {
    const refused = { ...keyed('five'), parent: null }
    const results = await post([{}, refused, refused, keyed('six')])
    t.same(results.slice(1, 3), ['parent_not_found', 'parent_not_found'])
    t.type((await publish([keyed('five', 'another')]))[0], Object)
    t.equal((await post([keyed('six', 'another')]))[0], 'idempotency_key_reused')
  })

  t.test(
    'a post whose Idempotency-Key another node holds is refused, and the rest of its group is written',
    async (t) => {
      const seven = keyed('seven')
      const results = await service.db.transaction().execute(async (tx) => {
        const { rows } = await tx.executeQuery(lockIdempotencyKeys([seven.idempotencyKey]))
        t.same(rows, [{ held: true }])
        return post([{}, seven, keyed('eight'), seven])
      })
      t.same([results[1], results[3]], ['idempotency_in_flight', 'idempotency_in_flight'])
      t.type(results[2], Object)
      t.type((await post([seven]))[0], Object, 'and free again after that')
    },
  )

  t.test('a post is refused while this node writes its Idempotency-Key', async (t) => {
    const thread = sql`select pg_advisory_xact_lock(id) from threads`
    const { first } = await during(service, thread, async () => {
      const first = post([keyed('nine')])
      await untilSomebodyWaits(service)
      t.same(await post([keyed('nine')]), ['idempotency_in_flight'])
      return { first }
    })
    t.type((await first)[0], Object)
  })

  t.test('posts with Idempotency-Keys in group commits keep every count right', async (t) =>
    t.same(await recount(service.db), []),
  )
})
