import { sql } from 'kysely'
import t from 'tap'
import type { Context } from '../../src/usecases/context.ts'
import {
  API_KEY,
  akismet,
  factsOf,
  openChecked,
  own,
  SITE,
  STRICT,
  seen,
  setChecks,
} from '../checks.ts'
import { json, LOOPBACK, text } from '../clients/checks-server.ts'
import { countWaiting, makeDue, runDue } from '../jobs.ts'
import { createTestContext, type TestService } from '../service.ts'

const THANKS = 'Thanks for making the web a better place.'

const runChecks = (context: Context) => runDue(context, 'ask_checks', 'report_decision')

t.test('runChecks asks a check again when its result is overdue', async (t) => {
  const { service, server, state } = await openChecked(t, json({ pending: true }))
  await setChecks(service, [own(server.url)], { own: STRICT })
  const { id } = await service.post('a', 'x')
  state.answering = json({ score: 0 })
  await runChecks(service)
  t.equal(state.heard.length, 1, 'it is not time yet')
  await makeDue(service)
  await runChecks(service)
  t.equal((await seen(service, id))!.status, 'approved')
  t.equal(await countWaiting(service, 'ask_checks'), 0)
  const { ip, body } = { ip: /127\.0\.0/, body: state.heard[1]!.body }
  t.notMatch(body, ip)
})

t.test('runChecks: of several nodes exactly one asks a check again', async (t) => {
  const { service, server, state } = await openChecked(t, json({ pending: true }))
  await setChecks(service, [own(server.url)], { own: STRICT })
  for (const body of ['x', 'y', 'z']) await service.post('a', body)
  await makeDue(service)
  const outbound = { allowedNetworks: LOOPBACK, ca: server.ca }
  const nodes = Array.from({ length: 4 }, () =>
    createTestContext(service.db, service.cacheTokens, { outbound }),
  )
  await Promise.all(nodes.map((node) => runChecks(node)))
  t.equal(state.heard.length, 6)
})

t.test(
  'runChecks: a check that never responds has failed in the end, and its rule decides',
  async (t) => {
    const { service, server } = await openChecked(t, json({ pending: true }))
    await setChecks(service, [own(server.url)], { own: { ...STRICT, on_failure: 'ignore' } })
    const { id } = await service.post('a', 'x')
    for (let n = 0; n < 3; n++) {
      await makeDue(service)
      await runChecks(service)
    }
    t.equal((await seen(service, id))!.status, 'pending')
    await makeDue(service)
    await runChecks(service)
    t.match(await factsOf(service, id), { own: { state: 'failed', why: /too long/ } })
    t.equal((await seen(service, id))!.status, 'approved')
    t.equal(await countWaiting(service, 'ask_checks'), 0)
  },
)

const moveTo = (service: TestService, id: string, article: string) =>
  service.call('POST', `${SITE}/comments/${id}/moves`, {
    token: service.adminKey,
    body: { article_id: article },
  })

t.test('askChecks asks about a comment in the thread that it moved to', async (t) => {
  const { service, server, state } = await openChecked(t, json({ pending: true }))
  await setChecks(service, [own(server.url)], { own: STRICT })
  const { id } = await service.post('a', 'x')
  const { id: root } = await service.post('b', 'y')
  t.equal((await moveTo(service, id, 'b')).status, 201)
  state.answering = json({ score: 0 })
  await makeDue(service)
  await runChecks(service)
  t.equal((await seen(service, id))!.status, 'approved')
  t.equal((await seen(service, root))!.status, 'approved')
  t.equal((await service.get('/articles/b')).body.comment_count, 2)
  t.equal(await countWaiting(service, 'ask_checks'), 0)
})

t.test('runChecks does not ask a check that the site removed', async (t) => {
  const { service, server, state } = await openChecked(t, json({ pending: true }))
  await setChecks(service, [own(server.url)], { own: { ...STRICT, on_failure: 'ignore' } })
  const { id } = await service.post('a', 'x')
  await service.call('PATCH', SITE, { token: service.adminKey, body: { checks: [] } })
  await makeDue(service)
  await runChecks(service)
  t.equal(state.heard.length, 1)
  t.match(await factsOf(service, id), { own: { state: 'removed' } })
  t.equal((await seen(service, id))!.status, 'approved')
})

t.test('runChecks does not ask a check that the policy turns off', async (t) => {
  const { service, server, state } = await openChecked(t, json({ pending: true }))
  await setChecks(service, [own(server.url)], { own: STRICT })
  const { id } = await service.post('a', 'x')
  await setChecks(service, [own(server.url)], { own: { ...STRICT, mode: 'off' } })
  await makeDue(service)
  await runChecks(service)
  t.equal(state.heard.length, 1)
  t.equal((await seen(service, id))!.status, 'approved')
  t.equal(await countWaiting(service, 'ask_checks'), 0)
})

t.test('runChecks asks a check that took the place of another while a comment waits', async (t) => {
  const { service, server, state } = await openChecked(t, json({ pending: true }))
  await setChecks(service, [own(server.url)], { own: STRICT })
  const { id } = await service.post('a', 'x')
  await setChecks(service, [own(server.url, { name: 'other' })], { other: STRICT })
  state.answering = json({ score: 0 })
  await makeDue(service)
  await runChecks(service)
  t.match(await factsOf(service, id), { own: { state: 'removed' }, other: { score: 0 } })
  t.equal((await seen(service, id))!.status, 'approved')
})

/** Akismet, as it is when it takes everything, and is sure of what is called spam. */
const openAkismet = async (t: Parameters<typeof openChecked>[0]) => {
  const opened = await openChecked(t, (answer, heard) => {
    const isCheck = heard.path.endsWith('/comment-check')
    text(isCheck ? String(heard.body.includes('spam')) : THANKS)(answer, heard)
  })
  await setChecks(opened.service, [akismet(opened.server.url)], { akismet: STRICT })
  const reports = () =>
    opened.state.heard
      .filter(({ path }) => path.includes('/submit-'))
      .map(({ path, body }) => [path.split('-')[1]!, new URLSearchParams(body)] as const)
  return { ...opened, reports }
}

t.test(
  'runChecks reports a moderator’s disagreement to Akismet, with the network instead of the address',
  async (t) => {
    const { service, state, reports } = await openAkismet(t)
    const [good, bad] = [await service.post('a', 'x'), await service.post('a', 'spam')]
    const asked = new URLSearchParams(state.heard[0]!.body)
    t.match([asked.get('user_ip'), asked.get('api_key')], ['127.0.0.1', API_KEY])
    await service.decide(good.id, 'approved', 'spam')
    await service.decide(bad.id, 'spam', 'approved')
    await runChecks(service)
    t.same(
      reports()
        .map(([kind, form]) => [kind, form.get('comment_content'), form.get('user_ip')])
        .toSorted((a, b) => String(a).localeCompare(String(b))),
      [
        ['ham', 'spam', '127.0.0.0'],
        ['spam', 'x', '127.0.0.0'],
      ],
    )
    await runChecks(service)
    t.equal(reports().length, 2, 'once')
  },
)

t.test('reportDecision reports a decision after the comment moved', async (t) => {
  const { service, reports } = await openAkismet(t)
  const { id } = await service.post('a', 'x')
  await service.decide(id, 'approved', 'spam')
  await moveTo(service, id, 'b')
  await runChecks(service)
  t.same(
    reports().map(([kind, form]) => [kind, form.get('comment_content')]),
    [['spam', 'x']],
  )
})

t.test('runChecks reports no neutral decision and no agreement to Akismet', async (t) => {
  const { service, reports } = await openAkismet(t)
  const [one, two] = [await service.post('a', 'x'), await service.post('a', 'y')]
  await service.decide(one.id, 'approved', 'pending')
  await service.decide(one.id, 'pending', 'approved')
  await service.decide(two.id, 'approved', 'rejected')
  await service.decide(two.id, 'rejected', 'deleted')
  await runChecks(service)
  t.same(reports(), [])
})

t.test('runChecks reports the latest decision', async (t) => {
  const { service, reports } = await openAkismet(t)
  const { id } = await service.post('a', 'x')
  await service.decide(id, 'approved', 'spam')
  await service.decide(id, 'spam', 'approved')
  await runChecks(service)
  t.same(
    reports().map(([kind]) => kind),
    ['ham'],
  )
})

t.test('runChecks retries a failed report later each time, and gives up in the end', async (t) => {
  const { service, state, reports } = await openAkismet(t)
  const { id } = await service.post('a', 'x')
  await service.decide(id, 'approved', 'spam')
  state.answering = text('Invalid key.')
  await t.rejects(runChecks(service), /does not take/)
  await runChecks(service)
  t.equal(reports().length, 1, 'it is not time yet')
  for (let attempts = 2; attempts < 8; attempts++) {
    await makeDue(service)
    // It may be left alone meanwhile, which is an attempt too.
    await t.rejects(runChecks(service))
  }
  await makeDue(service)
  await runChecks(service)
  t.equal(await countWaiting(service, 'report_decision'), 0)
})

t.test('runChecks: of several nodes exactly one reports a decision', async (t) => {
  const { service, server, reports } = await openAkismet(t)
  for (const body of ['x', 'y', 'z'])
    await service.decide((await service.post('a', body)).id, 'approved', 'spam')
  const outbound = { allowedNetworks: LOOPBACK, ca: server.ca }
  const nodes = Array.from({ length: 4 }, () =>
    createTestContext(service.db, service.cacheTokens, { outbound }),
  )
  await Promise.all(nodes.map((node) => runChecks(node)))
  t.equal(reports().length, 3)
})

t.test('runChecks reports no comment that was erased or whose data expired', async (t) => {
  const { service, reports } = await openAkismet(t)
  const [one, two] = [await service.post('a', 'x'), await service.post('a', 'y')]
  for (const { id } of [one, two]) await service.decide(id, 'approved', 'spam')
  await sql`delete from comment_addresses d using comments c where c.id = d.comment_id and c.body = 'x'`.execute(
    service.db,
  )
  await service.call('DELETE', `${SITE}/authors/${two.author.id}`, { token: service.adminKey })
  await runChecks(service)
  t.same(reports(), [])
  t.equal(await countWaiting(service, 'report_decision'), 0)
})
