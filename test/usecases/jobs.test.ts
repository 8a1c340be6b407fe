import { sql } from 'kysely'
import t from 'tap'
import { authorJob } from '../../src/domain/job.ts'
import { completeJob, enqueueJob, postponeJob, takeJobs } from '../../src/postgres/jobs/jobs.ts'
import { applyRetention } from '../../src/usecases/jobs/apply-retention.ts'
import { ensurePeriodicJobs } from '../../src/usecases/jobs/job-queue.ts'
import { createLoop } from '../../src/usecases/jobs/loop.ts'
import { refreshAuthor } from '../../src/usecases/people/refresh-author.ts'
import { IDS } from '../ids.ts'
import { countWaiting, runJobs } from '../jobs.ts'
import { openService, type TestService } from '../service.ts'

/** Networks have a share of votes and flags only where there are limits. */
const LIMITED = { limits: { read: 0, write: 1_000 } }
const NEVER = new AbortController().signal
const SITE = '/v1/sites/default'
const addresses = async (service: TestService): Promise<Record<string, number>> => {
  const { rows } = await sql<Record<string, string>>`
    select (select count(address_hash) from comment_addresses) as comments,
      (select count(network) from comment_addresses) as networks,
      (select count(*) from votes where address_hash is not null) as votes,
      (select count(*) from flags where address_hash is not null) as flags`.execute(service.db)
  return Object.fromEntries(Object.entries(rows[0]!).map(([name, count]) => [name, Number(count)]))
}

const leaveAddresses = async (service: TestService) => {
  const { id } = await service.post('a', 'x')
  const { guest_token: token } = await service.post('a', 'y')
  await service.call('PUT', `${SITE}/comments/${id}/vote`, { token, body: { value: 1 } })
  await service.call('POST', `${SITE}/comments/${id}/flags`, { token, body: { reason: 'spam' } })
}

t.test(
  'applyRetention deletes addresses after the site’s number of days, and not before',
  async (t) => {
    const service = await openService(t, LIMITED)
    await leaveAddresses(service)
    await applyRetention(service, NEVER)
    t.same(await addresses(service), { comments: 2, networks: 2, votes: 1, flags: 1 })
    await sql`update comments set created_at = created_at - interval '31 days'`.execute(service.db)
    await sql`update comment_addresses set written_at = written_at - interval '31 days'`.execute(
      service.db,
    )
    await sql`update votes set voted_at = voted_at - interval '31 days'`.execute(service.db)
    await sql`update flags set flagged_at = flagged_at - interval '31 days'`.execute(service.db)
    await applyRetention(service, NEVER)
    t.same(await addresses(service), { comments: 0, networks: 0, votes: 0, flags: 0 })
    const { items } = (
      await service.get('/moderation/comments?status=approved', {
        token: service.adminKey,
      })
    ).body
    t.equal(items[0].network, null)
  },
)

t.test('applyRetention deletes all addresses of a site that keeps none', async (t) => {
  const service = await openService(t, LIMITED)
  await leaveAddresses(service)
  await service.call('PATCH', SITE, { token: service.adminKey, body: { retention_days: 0 } })
  await applyRetention(service, NEVER)
  t.same(await addresses(service), { comments: 0, networks: 0, votes: 0, flags: 0 })
})

t.test('applyRetention deletes more than a batch in one round', async (t) => {
  const service = await openService(t)
  await service.post('a', 'x')
  await sql`
    insert into comment_addresses (site_id, written_at, comment_id, network, address_hash)
    select site_id, written_at - interval '40 days', 1000 + n, network, address_hash
    from comment_addresses, generate_series(1, 2500) n`.execute(service.db)
  await applyRetention(service, NEVER)
  t.equal((await addresses(service)).comments, 1)
})

t.test('while one node applies retention, another node does not', async (t) => {
  const service = await openService(t, LIMITED)
  await leaveAddresses(service)
  await sql`update sites set retention_days = 0`.execute(service.db)
  await ensurePeriodicJobs(service)
  const [job] = await takeJobs(service.db, { kind: 'apply_retention', limit: 9 })
  await runJobs(service, 'apply_retention', NEVER)
  t.equal((await addresses(service)).comments, 2)
  await postponeJob(service.db, job!, 0)
  await runJobs(service, 'apply_retention', NEVER)
  t.equal((await addresses(service)).comments, 0)
  t.equal((await takeJobs(service.db, { kind: 'apply_retention', limit: 9 })).length, 0)
  t.equal(await countWaiting(service, 'apply_retention'), 1, 'the job waits for the next round')
})

t.test(
  'a refreshed author is done once, and stays when it was enqueued again meanwhile',
  async (t) => {
    const service = await openService(t)
    const { author } = await service.post('a', 'x')
    const job = authorJob('refresh_author', { siteId: 1, authorId: IDS.read('author', author.id)! })
    const enqueue = () => service.db.transaction().execute((tx) => enqueueJob(tx, job))
    await enqueue()
    const [taken] = await takeJobs(service.db, { kind: 'refresh_author', limit: 1 })
    const before = (await service.get('/articles/a')).body.version
    await enqueue()
    t.equal(await refreshAuthor(service, taken!, NEVER), 'done')
    await completeJob(service.db, taken!)
    t.ok((await service.get('/articles/a')).body.version > before)
    t.equal(await countWaiting(service, 'refresh_author'), 1)
    t.same(await runJobs(service, 'refresh_author', NEVER), [])
    t.equal(await countWaiting(service, 'refresh_author'), 0)
  },
)

t.test('a periodic job never runs twice at the same time, and misses no kick', async (t) => {
  let running = 0
  let most = 0
  let done = 0
  const release: (() => void)[] = []
  const act = async () => {
    running += 1
    most = Math.max(most, running)
    await new Promise<void>((resolve) => release.push(resolve))
    running -= 1
    done += 1
  }
  const loop = createLoop(act, {
    everyMs: 3_600_000,
    onError: (error) => t.error(error as Error),
  })
  for (let n = 0; n < 5; n++) loop.kick()
  release.shift()!()
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(release.length, 1, 'what was asked for meanwhile is done once more')
  const closing = loop.close()
  release.shift()!()
  await closing
  loop.kick()
  t.same([most, done, release.length], [1, 2, 0])
})

t.test('a periodic job continues after a failure and reports it', async (t) => {
  const errors: unknown[] = []
  const act = async () => Promise.reject(new Error('away'))
  const loop = createLoop(act, {
    everyMs: 3_600_000,
    onError: (error) => errors.push(error),
  })
  loop.kick()
  await new Promise((resolve) => setImmediate(resolve))
  loop.kick()
  await new Promise((resolve) => setImmediate(resolve))
  await loop.close()
  t.equal(errors.length, 2)
})
