import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import { callBack, factsOf, openChecked, own, SITE, STRICT, seen, setChecks } from '../checks.ts'
import { json } from '../clients/checks-server.ts'
import { IDS } from '../ids.ts'
import { countWaiting, makeDue, runDue } from '../jobs.ts'
import { runs } from '../lengths.ts'
import { goBy } from '../policies.ts'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'
import { until } from '../start.ts'

type Json = Record<string, any>

const ADDRESS = '203.0.113.7'

const asAdmin = (service: TestService) => async (method: string, path: string, body: Json) => {
  const call = { token: service.adminKey, body }
  const answer = await service.call(method, `${SITE}${path}`, call)
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.text}`)
  return answer.body
}

/** A comment that waits for its check. */
const openWaiting = async (t: Parameters<typeof openChecked>[0]) => {
  const opened = await openChecked(t, json({ pending: true }))
  const { service, server } = opened
  await setChecks(service, [own(server.url)], { own: STRICT })
  const post = async () => {
    const { body } = await service.call('POST', `${SITE}/articles/a/comments`, {
      headers: { 'x-forwarded-for': ADDRESS, 'idempotency-key': randomUUID() },
      body: { body: 'One word: quinces', author: { name: 'Ada', email: 'ada@mail.example' } },
    })
    return body
  }
  return { ...opened, send: asAdmin(service), post }
}

const statusOf = async ({ db }: TestService, id: string): Promise<string> => {
  const { rows } = await sql<{ status: string }>`
    select status from comments where id = ${IDS.readComment(id)!.id}`.execute(db)
  return rows[0]!.status
}

t.test('a good score publishes no comment that the rules of now hold', async (t) => {
  const meanwhile: Record<string, (send: ReturnType<typeof asAdmin>, of: Json) => Promise<Json>> = {
    'its author is banned': (send, { author }) =>
      send('POST', '/moderation/bans', { kind: 'author', value: author.id, effect: 'hold' }),
    'its author is blocked': (send, { author }) =>
      send('POST', '/moderation/bans', { kind: 'author', value: author.id, effect: 'block' }),
    'its author is shadowed': (send, { author }) =>
      send('POST', '/moderation/bans', { kind: 'author', value: author.id, effect: 'shadow' }),
    'its address is blocked': (send) =>
      send('POST', '/moderation/bans', { kind: 'network', value: '127.0.0.1', effect: 'block' }),
    'its network is blocked': (send) =>
      send('POST', '/moderation/bans', { kind: 'network', value: '127.0.0.0/16', effect: 'block' }),
    'its e-mail address is banned': (send) =>
      send('POST', '/moderation/bans', {
        kind: 'email',
        value: 'Ada@Mail.example',
        effect: 'hold',
      }),
    'its e-mail domain is banned': (send) =>
      send('POST', '/moderation/bans', {
        kind: 'email_domain',
        value: 'mail.example',
        effect: 'hold',
      }),
    'the site holds every comment': (send) => send('PATCH', '', { moderation: 'pre' }),
    'the thread holds every comment': (send) => send('PATCH', '/articles/a', { moderation: 'pre' }),
  }
  for (const [what, act] of Object.entries(meanwhile))
    await t.test(`a good score does not publish a comment if ${what} meanwhile`, async (t) => {
      const { service, send, post } = await openWaiting(t)
      const comment = await post()
      await act(send, comment)
      await callBack(service, { comment_id: comment.id, score: 0 })
      t.equal(await statusOf(service, comment.id), 'pending')
      t.match(await factsOf(service, comment.id), { own: { state: 'answered', score: 0 } })
    })

  t.test('a good score does not publish a comment that the policy of now holds', async (t) => {
    const { service, post } = await openWaiting(t)
    const comment = await post()
    await goBy(service, {
      words: { mode: 'enforce', pending: ['quinces'] },
      checks: { own: STRICT },
    } as never)
    await callBack(service, { comment_id: comment.id, score: 0 })
    t.match(await seen(service, comment.id), { status: 'pending', policy_version: 2 })
  })

  t.test(
    'a good score publishes a comment if the ban of another address came meanwhile',
    async (t) => {
      const { service, send, post } = await openWaiting(t)
      const comment = await post()
      const value = '127.0.0.2'
      await send('POST', '/moderation/bans', { kind: 'network', value, effect: 'block' })
      await callBack(service, { comment_id: comment.id, score: 0 })
      t.equal(await statusOf(service, comment.id), 'approved')
    },
  )
})

const MODES = ['pre', 'post', 'thread pre', 'thread site'] as const
const ACTS = ['hold', 'block', 'shadow', 'lift', ...MODES, 'reject', 'undo'] as const
type Mode = (typeof MODES)[number]
type Act = (typeof ACTS)[number]

/** Changes the modes of the site and of the article `a`, and says whether they hold every comment. */
const openModes = (send: ReturnType<typeof asAdmin>) => {
  const now = { site: 'post', thread: 'site' }
  const change = async (mode: Mode): Promise<void> => {
    const isOfThread = mode.startsWith('thread')
    const moderation = mode.replace('thread ', '')
    await send('PATCH', isOfThread ? '/articles/a' : '', { moderation })
    now[isOfThread ? 'thread' : 'site'] = moderation
  }
  const doHold = () => (now.thread === 'site' ? now.site : now.thread) === 'pre'
  return { change, doHold }
}

const isMode = (act: Act): act is Mode => (MODES as readonly string[]).includes(act)

t.test(
  'a good score publishes a comment exactly if nobody decided, and nothing else held it at first or holds it now',
  async (t) => {
    const { service, send, post } = await openWaiting(t)
    await post()
    const run = async (before: readonly Mode[], acts: readonly Act[]): Promise<boolean> => {
      const modes = openModes(send)
      for (const mode of before) await modes.change(mode)
      const wasHeld = modes.doHold()
      const { id, author } = await post()
      const bans: string[] = []
      const decisions: string[] = []
      let isDecided = false
      const perform = async (act: Act): Promise<void> => {
        if (isMode(act)) await modes.change(act)
        else if (act === 'lift') {
          const ban = bans.pop()
          const { adminKey: token } = service
          if (ban) await service.call('DELETE', `${SITE}/moderation/bans/${ban}`, { token })
        } else if (act === 'reject') {
          if (decisions.length > 0) return
          const change = { from: 'pending', to: 'rejected' }
          decisions.push((await send('POST', `/comments/${id}/decisions`, change)).id)
          isDecided = true
        } else if (act === 'undo') {
          const decision = decisions.pop()
          if (decision) await send('POST', `/moderation/decisions/${decision}/undos`, {})
        } else {
          const ban = { kind: 'author', value: author.id, effect: act }
          bans.push((await send('POST', '/moderation/bans', ban)).id)
        }
      }
      for (const act of acts) await perform(act)
      await callBack(service, { comment_id: id, score: 0 })
      const isHeld = wasHeld || isDecided || bans.length > 0 || modes.doHold()
      const undecided = isHeld ? 'pending' : 'approved'
      const expected = decisions.length > 0 ? 'rejected' : undecided
      const status = await statusOf(service, id)
      for (const mode of ['post', 'thread site'] as const) await modes.change(mode)
      if (status !== expected)
        t.comment(`${before.join(', ')}; ${acts.join(', ')}: ${status} instead of ${expected}`)
      return status === expected
    }
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...MODES), { maxLength: 2 }),
        fc.array(fc.constantFrom(...ACTS), { maxLength: 6 }),
        run,
      ),
      { numRuns: runs(15, 100) },
    )
    t.same(await recount(service.db), [])
  },
)

t.test('a check that is only recorded publishes no comment that its site held', async (t) => {
  const { service, server } = await openChecked(t, json({ pending: true }))
  await setChecks(service, [own(server.url)], {})
  const send = asAdmin(service)
  await send('PATCH', '', { moderation: 'pre' })
  const { id } = await service.post('a', 'held for a moderator')
  await send('PATCH', '', { moderation: 'post' })
  await callBack(service, { comment_id: id, score: 0 })
  t.equal(await statusOf(service, id), 'pending')
})

const rejudge = async (service: TestService, body: Json = {}): Promise<Json> => {
  const started = await asAdmin(service)('POST', '/moderation/rejudgements', body)
  const { adminKey: token } = service
  const find = () => service.get(`/moderation/batches/${started.id}`, { token })
  return until('the batch ends', async () => {
    const { body: batch } = await find()
    return batch.ended_at && batch
  })
}

const withdraw = (service: TestService, { id, guest_token: token }: Json) =>
  service.call('DELETE', `${SITE}/comments/${id}`, { token })

const restore = (service: TestService, { id, guest_token: token }: Json) =>
  service.call('POST', `${SITE}/comments/${id}/restorations`, { token })

t.test(
  'a withdrawn comment is not asked about, and waits for its check again once restored',
  async (t) => {
    const { service, state, post } = await openWaiting(t)
    const [early, late] = [await post(), await post()]
    for (const one of [early, late]) await withdraw(service, one)
    await callBack(service, { comment_id: early.id, score: 0 })
    await makeDue(service)
    await runDue(service, 'ask_checks')
    t.equal(state.heard.length, 2)
    t.equal(await statusOf(service, early.id), 'deleted')
    state.answering = json({ score: 0 })
    await restore(service, early)
    await makeDue(service)
    await runDue(service, 'ask_checks')
    t.equal(await statusOf(service, early.id), 'approved')
    t.equal(await countWaiting(service, 'ask_checks'), 1)
    await sql`update comments set created_at = created_at - interval '1 year'`.execute(service.db)
    await makeDue(service)
    await runDue(service, 'ask_checks')
    t.equal(await countWaiting(service, 'ask_checks'), 0, 'after the edit window')
    t.equal(state.heard.length, 3)
  },
)

t.test('a reply waits for a moderator if the comment above it is not public by then', async (t) => {
  const { service, server, state } = await openChecked(t, json({ score: 0 }))
  await setChecks(service, [own(server.url)], { own: STRICT })
  const above = await service.post('a', 'above')
  const [restored, posted] = [
    await service.post('a', 'restored', { parent_id: above.id }),
    await service.post('a', 'posted', { parent_id: above.id }),
  ]
  await withdraw(service, restored)
  state.answering = json({ pending: true })
  await service.call('PATCH', `${SITE}/comments/${posted.id}`, {
    token: posted.guest_token,
    body: { body: 'edited' },
  })
  await service.decide(above.id, 'approved', 'rejected')
  await restore(service, restored)
  const statuses = async () => [
    await statusOf(service, restored.id),
    await statusOf(service, posted.id),
  ]
  await callBack(service, { comment_id: posted.id, score: 0 })
  await rejudge(service)
  t.same(await statuses(), ['pending', 'pending'])
  await service.decide(above.id, 'rejected', 'approved')
  await rejudge(service)
  t.same(await statuses(), ['approved', 'approved'])
  t.same(await recount(service.db), [])
})

t.test('a check that the site removes holds nothing', async (t) => {
  const { service, send, post } = await openWaiting(t)
  const waiting = await post()
  await send('PATCH', '', { checks: [] })
  const later = await service.post('a', 'posted after the check is gone')
  t.equal(later.status, 'approved')
  t.equal(await countWaiting(service, 'ask_checks'), 1, 'the later comment asks nothing')
  await makeDue(service)
  await runDue(service, 'ask_checks')
  t.equal(await statusOf(service, waiting.id), 'approved')
  t.match(await factsOf(service, waiting.id), { own: { state: 'removed' } })
})

t.test(
  'the service asks a failed check again until the comment is released or decided',
  async (t) => {
    const { service, server, state } = await openChecked(t, json('no score'))
    await setChecks(service, [own(server.url)], { own: STRICT })
    const one = await service.post('a', 'one')
    for (let round = 0; round < 2; round++) {
      await makeDue(service)
      await runDue(service, 'ask_checks')
    }
    const two = await service.post('a', 'two')
    await service.decide(two.id, 'pending', 'rejected')
    t.equal(await countWaiting(service, 'ask_checks'), 2)
    state.answering = json({ score: 0 })
    await makeDue(service)
    await runDue(service, 'ask_checks')
    t.equal(await statusOf(service, one.id), 'approved')
    t.equal(await statusOf(service, two.id), 'rejected')
    t.equal(await countWaiting(service, 'ask_checks'), 0)
  },
)

t.test('the queue says which checks a comment waits for, since when, and why', async (t) => {
  const { service, server, state } = await openChecked(t, json({ pending: true }))
  await setChecks(service, [own(server.url)], { own: STRICT })
  const { id, created_at } = await service.post('a', 'x')
  const { waiting_for } = (await seen(service, id))!
  t.match(waiting_for, [{ check: 'own', error: null }])
  t.ok(Math.abs(Date.parse(waiting_for[0].since) - Date.parse(created_at)) < 1_000)
  state.answering = json('no score')
  await makeDue(service)
  await runDue(service, 'ask_checks')
  t.match((await seen(service, id))!.waiting_for, [{ check: 'own', error: /./ }])
  await service.decide(id, 'pending', 'approved')
  t.same((await seen(service, id))!.waiting_for, [])
})

t.test(
  'a late bad score takes away a published comment unless a moderator approved it',
  async (t) => {
    const { service, server } = await openChecked(t, json('no score'))
    await setChecks(service, [own(server.url)], { own: { ...STRICT, on_failure: 'ignore' } })
    const [one, two] = [await service.post('a', 'one'), await service.post('a', 'two')]
    await service.decide(two.id, 'approved', 'pending')
    await service.decide(two.id, 'pending', 'approved')
    for (const { id } of [one, two]) await callBack(service, { comment_id: id, score: 1 })
    t.equal(await statusOf(service, one.id), 'spam')
    t.equal(await statusOf(service, two.id), 'approved')
  },
)

t.test('a re-judgement asks again the checks that gave no score, if it is told to', async (t) => {
  const { service, server, state } = await openChecked(t, json('no score'))
  await setChecks(service, [own(server.url)], { own: STRICT })
  const { id } = await service.post('a', 'x')
  state.answering = json({ score: 0 })
  await rejudge(service)
  await runDue(service, 'ask_checks')
  t.equal(await statusOf(service, id), 'pending', 'it asks nothing by itself')
  await rejudge(service, { ask: true })
  await until('the comment is published', async () => (await statusOf(service, id)) === 'approved')
})

t.test(
  'a re-judgement publishes nothing of a banned author or that a moderator took back',
  async (t) => {
    const service = await openService(t)
    const send = asAdmin(service)
    await goBy(service, { length: { mode: 'enforce', min: 100 } })
    const [banned, undone, plain] = [
      await service.post('a', 'one'),
      await service.post('a', 'two'),
      await service.post('a', 'three'),
    ]
    await send('POST', '/moderation/bans', {
      kind: 'author',
      value: banned.author.id,
      effect: 'block',
    })
    const approval = { from: 'pending', to: 'approved', revision: 1 }
    const decision = await send('POST', `/comments/${undone.id}/decisions`, approval)
    await send('POST', `/moderation/decisions/${decision.id}/undos`, {})
    await goBy(service, {})
    const { by } = await rejudge(service)
    t.equal(await statusOf(service, banned.id), 'pending')
    t.equal(await statusOf(service, undone.id), 'pending')
    t.equal(await statusOf(service, plain.id), 'approved')
    const { body } = await service.get(`/moderation/decisions?comment_id=${plain.id}`, {
      token: service.adminKey,
    })
    t.match(body.items, [{ by: 'rules', asked_by: by }])
    t.match(by, /^k/)
  },
)
