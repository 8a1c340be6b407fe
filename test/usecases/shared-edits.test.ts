import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import type { AuthorCaller, Caller } from '../../src/domain/people/caller.ts'
import type { CommentKey } from '../../src/domain/public-id.ts'
import { storedId } from '../../src/domain/stored-id.ts'
import { readFacts, storedFacts } from '../../src/postgres/screening/stored-judgements.ts'
import type { Edited } from '../../src/usecases/editing/edit-comment.ts'
import { recount } from '../recount.ts'
import { edit, type SomeEdit } from './editing.ts'
import { during, guest, openPosting, untilSomebodyWaits } from './posting.ts'

const ARTICLES = ['a', 'b', 'c', 'd']

/** A comment, and its guest as a caller. */
type Own = Pick<SomeEdit, 'caller' | 'comment'>
/** An edit, or the code of its refusal. */
type Result = Edited | string

const authorIdOf = (caller: Caller): number => (caller as AuthorCaller).authorId

const aText = (): string => randomBytes(12).toString('hex')

/** A site with two comments in each article, whose authors edit without HTTP, in one tick. */
const openEditing = async (t: Parameters<typeof openPosting>[0]) => {
  const posting = await openPosting(t)
  const { service, site, publish } = posting
  const plant = async (): Promise<Own[]> => {
    const texts = ARTICLES.flatMap((articleId) => [
      { articleId, body: aText() },
      { articleId, body: aText() },
    ])
    const posted = await publish(texts)
    return posted.map(({ comment, newGuestId }) => ({ comment, caller: guest(newGuestId!) }))
  }
  const editAll = (edits: readonly (Own & Partial<SomeEdit>)[]): Promise<Result[]> =>
    Promise.all(edits.map((one) => edit(service, site, { body: aText(), ...one })))
  const transactions = async () => {
    const { rows } = await sql<{ all: number }>`
      select count(distinct xmin::text) as all from comment_revisions`.execute(service.db)
    return rows[0]!.all
  }
  const factsOf = async ({ id }: CommentKey) => {
    const { rows } = await sql<{ facts: string }>`
      select ${storedFacts} as facts from comments c where id = ${id}`.execute(service.db)
    return readFacts(rows[0]!.facts)
  }
  return { ...posting, plant, editAll, transactions, factsOf }
}

const said = (results: readonly Result[]) =>
  results.map((result) => (typeof result === 'string' ? result : result.comment.revision))

const thread = (article: string) =>
  sql`select pg_advisory_xact_lock_shared(id) from threads where article_id = ${article}`

t.test('Edits in several threads of a site', async (t) => {
  const { service, site, invalidations, plant, editAll, transactions, factsOf } =
    await openEditing(t)

  t.test('edits in several threads share transactions and invalidations', async (t) => {
    const own = await plant()
    const [count, before] = [invalidations.length, await transactions()]
    const results = await editAll(own)
    t.same(said(results), Array(8).fill(2))
    t.equal((await transactions()) - before, 1)
    t.same(
      invalidations.slice(count).map((names) => names.length),
      [1 + ARTICLES.length],
    )
    const { rows } = await sql<any>`select version from threads order by article_id`.execute(
      service.db,
    )
    t.same(
      [1, 3, 5, 7].map((n) => (results[n] as Edited).version),
      rows.map(({ version }) => version),
    )
    t.same(await recount(service.db), [])
  })

  t.test('each edit keeps its own text, author, facts and response', async (t) => {
    const own = await plant()
    const edits = own.map((one, n) => ({ ...one, body: `*text ${n}* ${aText()}` }))
    const results = (await editAll(edits)) as Edited[]
    t.same(
      results.map(({ comment: { id, body, author } }) => ({ id, body, author: author.id })),
      edits.map(({ comment: { id }, body, caller }) => ({
        id,
        body,
        author: authorIdOf(caller),
      })),
    )
    const { rows } = await sql<any>`
      select c.body, c.body_html, r.replaced_by as "by", r.revision from comments c
      join comment_revisions r on r.comment_id = c.id
      where c.id = any(${own.map(({ comment }) => comment.id)}::bigint[]) order by c.id`.execute(
      service.db,
    )
    t.same(
      rows,
      edits.map(({ body, caller }) => ({
        body,
        bodyHtml: `<p><em>${body.slice(1, 7)}</em>${body.slice(8)}</p>\n`,
        by: storedId('author', authorIdOf(caller)),
        revision: 1,
      })),
    )
    const facts = await Promise.all(own.map(({ comment }) => factsOf(comment)))
    t.equal(new Set(facts.map(({ arrivals }) => arrivals.site)).size, 1, 'each counts once')
    t.same(
      facts.map(({ author }) => author.approved),
      Array(8).fill(0),
    )
  })

  t.test('of two edits of one revision in a transaction, the first succeeds', async (t) => {
    const [a, b] = (await plant()) as [Own, Own]
    const results = await editAll([
      b,
      { ...a, ifRevision: 1 },
      { ...a, ifRevision: 1 },
      { ...a, ifRevision: 2 },
      a,
    ])
    t.same(said(results), [2, 2, 'edit_conflict', 3, 4])
    t.same(await recount(service.db), [])
  })

  t.test('edits of others are refused, and edits of staff are not judged', async (t) => {
    const [a, b, c] = (await plant()) as [Own, Own, Own]
    const staff = { kind: 'key', keyId: 1, scope: 'admin', siteId: null } as const
    const before = await factsOf(b.comment)
    const results = await editAll([
      { ...a, caller: c.caller },
      { ...b, caller: staff },
      { ...c, comment: { ...c.comment, threadId: a.comment.threadId } },
      c,
    ])
    t.same(said(results), ['forbidden', 2, 'not_found', 2])
    t.same(await factsOf(b.comment), before)
  })

  t.test('an edit that repeats a text counts the others, and those before it', async (t) => {
    const own = (await plant()) as Own[]
    const body = `The same text about the weather of the last week ${aText()}`
    const results = await editAll(own.slice(0, 4).map((one) => ({ ...one, body })))
    t.same(said(results), [2, 2, 2, 2])
    const repeats = await Promise.all(own.slice(0, 4).map(({ comment }) => factsOf(comment)))
    t.same(
      repeats.map((facts) => facts.repeats),
      [0, 1, 2, 3].map((same) => ({ same, near: 0 })),
    )
    const near = own.slice(4, 6).map((one) => ({ ...one, body: `${body}!` }))
    await editAll(near.map((one, n) => ({ ...one, body: `${body} and ${n}` })))
    const later = await Promise.all(near.map(({ comment }) => factsOf(comment)))
    t.same(
      later.map((facts) => facts.repeats.near).toSorted((a, b) => a - b),
      [4, 5],
    )
  })

  t.test('an edit that a check must see is stored for the check', async (t) => {
    const own = await plant()
    const checked = { ...site, checks: [{ name: 'none' }] } as never
    const results = await editAll([{ ...own[0]!, site: checked }, own[1]!])
    t.same(said(results), [2, 2])
    const checks = await Promise.all(
      own.slice(0, 2).map(async ({ comment }) => Object.keys((await factsOf(comment)).checks)),
    )
    t.same(checks, [['none'], []])
  })

  t.test(
    'a repeated edit gets its first response, and one with another body is refused',
    async (t) => {
      const [one, other] = (await plant()) as [Own, Own]
      const idempotencyKey = { siteId: 1, keyHash: randomBytes(32), bodyHash: randomBytes(32) }
      const [first] = await editAll([{ ...one, idempotencyKey }])
      const [again, free] = await editAll([{ ...one, idempotencyKey }, other])
      const reused = { ...idempotencyKey, bodyHash: randomBytes(32) }
      const [refused] = await editAll([{ ...one, idempotencyKey: reused }])
      t.same((again as Edited).comment.body, (first as Edited).comment.body)
      t.same(said([again!, free!]), [2, 2])
      t.equal(refused, 'idempotency_key_reused')
    },
  )

  t.test('an edit in a locked thread waits, and delays no other thread', async (t) => {
    const own = await plant()
    const { waiting, free } = await during(service, thread('a'), async () => {
      const waiting = editAll(own.slice(0, 2))
      const free = await editAll(own.slice(2))
      await untilSomebodyWaits(service)
      return { waiting, free }
    })
    t.same(said(free), Array(6).fill(2))
    t.same(said(await waiting), [2, 2])
    t.same(await recount(service.db), [])
  })

  t.test('an edit waits for an erasure of its author, and delays no other', async (t) => {
    const own = await plant()
    const authorId = authorIdOf(own[0]!.caller)
    const row = sql`update authors set erased_at = now() where id = ${authorId}`
    const { waiting, free } = await during(service, row, async () => {
      const waiting = editAll([own[0]!])
      const free = await editAll(own.slice(2))
      await untilSomebodyWaits(service)
      return { waiting, free }
    })
    t.same(said(free), Array(6).fill(2))
    t.same(said(await waiting), ['not_found'])
    await sql`update authors set erased_at = null where id = ${authorId}`.execute(service.db)
  })

  t.test('what changes until an edit has the lock of its thread counts for it', async (t) => {
    const own = await plant()
    const [edited, locked, kept] = own as [Own, Own, Own]
    const tables = sql`lock table threads in access exclusive mode`
    const { waiting } = await during(service, tables, async (session) => {
      const waiting = editAll([{ ...edited, ifRevision: 1 }, locked, kept])
      await untilSomebodyWaits(service)
      await sql`update comments set revision = 2 where id = ${edited.comment.id}`.execute(session)
      await sql`update comments set locked = true where id = ${locked.comment.id}`.execute(session)
      return { waiting }
    })
    t.same(said(await waiting), ['edit_conflict', 'thread_locked', 2])
    await sql`update comments set revision = 1 where id = ${edited.comment.id}`.execute(service.db)
    t.same(await recount(service.db), [])
  })

  t.test('edits leave nothing in memory', async (t) => t.equal(service.edits.open.size, 0))
})
