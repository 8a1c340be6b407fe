import { sql } from 'kysely'
import t from 'tap'
import { countDecisions } from '../../src/postgres/moderation/stats.ts'
import { openService, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'

const figures = async (service: TestService, query = '') =>
  (await service.get(`/moderation/stats${query}`, { token: service.adminKey })).body

/** Comments that were held so many seconds ago; the queue's order is that of the list. */
const startFloodHold = async (service: TestService, ages: readonly number[]) => {
  await service.call('PATCH', SITE, { token: service.adminKey, body: { moderation: 'pre' } })
  const ids: string[] = []
  for (const age of ages) {
    const { id } = await service.post('a', `written ${age} seconds ago`)
    await sql`
      update comments set created_at = now() - make_interval(secs => ${age})
      where body = ${`written ${age} seconds ago`}`.execute(service.db)
    ids.push(id)
  }
  return ids as [string, ...string[]]
}

const zeros = {
  decisions: { by_people: 0, by_rules: 0, by_action: { status: 0 }, by_outcome: { approved: 0 } },
  reversals: { undone: 0, overturned: 0 },
  time_to_decision: { count: 0, median_seconds: null, p90_seconds: null },
  waiting: { comments: 0, oldest_comment_at: null, appeals: 0, oldest_appeal_at: null },
}

t.test('getModerationStats gives zeros for a site without decisions', async (t) => {
  const service = await openService(t)
  t.match(await figures(service), zeros)
})

t.test(
  'getModerationStats counts decisions by moderator and the time comments waited',
  async (t) => {
    const service = await openService(t)
    const ids = await startFloodHold(service, [1000, 800, 600, 400, 200, 100])
    for (const id of ids.slice(0, 5)) await service.decide(id, 'pending', 'approved')
    await service.decide(ids[0], 'approved', 'spam')
    const found = await figures(service)
    t.match(found.decisions, { by_people: 6, by_rules: 0, by_action: { status: 6, pin: 0 } })
    t.match(found.decisions.by_outcome, { approved: 5, spam: 1, rejected: 0 })
    const { count, median_seconds: median, p90_seconds: p90 } = found.time_to_decision
    t.equal(count, 5, 'what was not held has not waited')
    t.ok(median >= 600 && median < 700, `${median} s`)
    t.ok(p90 >= 1000 && p90 < 1100, `${p90} s`)
    t.match(found.waiting, { comments: 1, oldest_comment_at: /^20/ })
  },
)

t.test('getModerationStats counts the wait of a comment from its latest hold', async (t) => {
  const service = await openService(t)
  const [id] = await startFloodHold(service, [5000])
  await service.decide(id, 'pending', 'approved')
  await service.decide(id, 'approved', 'pending')
  await service.decide(id, 'pending', 'approved')
  const { rows } = await sql<{ heldMs: number | null }>`
    select held_ms from decisions order by id`.execute(service.db)
  t.ok(rows[0]!.heldMs! >= 5_000_000)
  t.equal(rows[1]!.heldMs, null)
  t.ok(rows[2]!.heldMs! < 4_000_000)
})

t.test('getModerationStats does not count holds by flags as decisions of people', async (t) => {
  const service = await openService(t)
  await service.call('PATCH', SITE, { token: service.adminKey, body: { flag_threshold: 1 } })
  const { id } = await service.post('a', 'x')
  const { guest_token: token } = await service.post('a', 'y')
  const flag = { token, body: { reason: 'spam' } }
  await service.call('POST', `${SITE}/comments/${id}/flags`, flag)
  t.match((await figures(service)).decisions, { by_people: 0, by_rules: 1 })
})

t.test('getModerationStats counts undone decisions and overturned appeals', async (t) => {
  const service = await openService(t)
  const [one, two] = [await service.post('a', 'x'), await service.post('a', 'y')]
  const { body: decision } = await service.decide(one.id, 'approved', 'spam')
  await service.call('POST', `${SITE}/moderation/decisions/${decision.id}/undos`, {
    token: service.adminKey,
    body: {},
  })
  await service.decide(two.id, 'approved', 'rejected')
  const appeal = { token: two.guest_token, body: { text: 'Why?' } }
  const made = await service.call('POST', `${SITE}/comments/${two.id}/appeals`, appeal)
  t.match((await figures(service)).waiting, { appeals: 1, oldest_appeal_at: made.body.appealed_at })
  await service.call('POST', `${SITE}/moderation/appeals/${made.body.id}/answers`, {
    token: await service.makeKey('moderate'),
    body: { outcome: 'overturned', revision: 1 },
  })
  const found = await figures(service)
  t.same(found.reversals, { undone: 1, overturned: 1 })
  t.match(found.decisions, { by_people: 4, by_action: { status: 3, appeal: 1 } })
  t.match(found.waiting, { appeals: 0, oldest_appeal_at: null })
})

t.test('getModerationStats counts only the requested days of the site', async (t) => {
  const service = await openService(t)
  await service.call('POST', '/v1/sites', {
    token: service.adminKey,
    body: { slug: 'other', name: 'Other' },
  })
  await sql`
    insert into decisions (site_id, thread_id, comment_id, from_status, to_status, decided_by, decided_at)
    select site, 1, 1, 'approved', 'spam', 'k1', now() - make_interval(days => n) + interval '1 hour'
    from generate_series(1, 40) n, (select id as site from sites) s`.execute(service.db)
  for (const days of [1, 7, 30]) {
    const { decisions } = await figures(service, `?days=${days}`)
    t.equal(decisions.by_people, days, `${days} days`)
  }
  for (const days of ['0', '366', 'x'])
    t.match(await service.get(`/moderation/stats?days=${days}`, { token: service.adminKey }), {
      status: 400,
      body: { errors: [{ parameter: 'days' }] },
    })
})

t.test(
  'getModerationStats counts the latest of too many decisions and says since when',
  async (t) => {
    const service = await openService(t)
    await sql`
    insert into decisions (site_id, thread_id, comment_id, from_status, to_status, decided_by, decided_at)
    select 1, 1, 1, 'approved', 'spam', 'k1', timestamptz '2026-11-01Z' + n * interval '1 minute'
    from generate_series(1, 50) n`.execute(service.db)
    const request = { siteId: 1, days: 36_500 }
    const countOf = ({ counts }: { counts: readonly { count: number }[] }) => counts[0]?.count
    const all = await countDecisions(service.db, { ...request, max: 50 })
    t.equal(countOf(all), 50)
    const latest = await countDecisions(service.db, { ...request, max: 10 })
    t.equal(countOf(latest), 10)
    t.equal(latest.since, '2026-11-01T00:40:00.000Z', 'of those after it none is left out')
  },
)
