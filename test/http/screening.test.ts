import { get as httpGet, request as httpRequest } from 'node:http'
import { sql } from 'kysely'
import t from 'tap'
import { compilePolicy } from '../../src/domain/screening/compile-policy.ts'
import { draftOf } from '../../src/domain/screening/facts.ts'
import { combine } from '../../src/domain/screening/finding.ts'
import {
  hasFacts,
  readJudgement,
  readTrace,
  storedFacts,
  storedTrace,
} from '../../src/postgres/screening/stored-judgements.ts'
import { type Changes, goBy, policyWith } from '../policies.ts'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'
import { listen } from './sockets.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'

const asAdmin = ({ call, adminKey: token }: TestService) => ({
  get: (path: string) => call('GET', `${SITE}${path}`, { token }),
  send: (path: string, body: Json = {}) => call('POST', `${SITE}${path}`, { token, body }),
})

const statusesOf = async ({ db }: TestService): Promise<Record<string, string>> => {
  const { rows } = await sql<Json>`select id, status from comments order by id`.execute(db)
  return Object.fromEntries(rows.map(({ id, status }) => [id, status]))
}

/** The status that a comment gets from one enforced rule. */
const RULES: [string, Changes, string, string, Json?][] = [
  ['words', { words: { mode: 'enforce', rejected: ['casino*'] } }, 'Best CASINOS here', 'rejected'],
  ['links', { links: { mode: 'enforce', says: 'spam', max: 0 } }, 'see https://e.org', 'spam'],
  ['links_of_new', { links_of_new: { mode: 'enforce' } }, 'see https://e.org', 'pending'],
  [
    'link_domains',
    { link_domains: { mode: 'enforce', block: ['e.org'] } },
    'see https://a.e.org/x',
    'spam',
  ],
  ['first_comments', { first_comments: { mode: 'enforce' } }, 'Hello', 'pending'],
  ['length', { length: { mode: 'enforce', min: 9 } }, 'Hello', 'pending'],
  ['shouting', { shouting: { mode: 'enforce' } }, 'THIS IS NOT TRUE AND YOU KNOW IT', 'pending'],
  [
    'disposable_email',
    { disposable_email: { mode: 'enforce', says: 'spam', domains: ['mail.example'] } },
    'Hello',
    'spam',
    { author: { name: 'Ada', email: 'a@mail.example' } },
  ],
]

t.test('an enforced rule', async (t) => {
  for (const [rule, changes, body, verdict, more] of RULES)
    await t.test(`the rule ${rule} judges comments and edits`, async (t) => {
      const service = await openService(t)
      const { get, send } = asAdmin(service)
      t.equal(
        (await service.post('a', body, more)).status,
        'approved',
        'until then it only records',
      )
      const mine = await service.post('b', 'Something that nobody minds, for now', more)
      await sql`delete from arrivals`.execute(service.db)
      const policy = policyWith(changes)
      t.match((await send('/moderation/screenings', { body, ...more, policy })).body, { verdict })
      await goBy(service, changes)
      const held = await service.post('a', body, more)
      t.equal(held.status, 'pending', 'its author is told no more than that')
      const { items } = (await get(`/moderation/comments?status=${verdict}`)).body
      t.match(items, [{ id: held.id, policy_version: 1, facts: { site_moderation: 'post' } }])
      const opinion = items[0].trace.find((one: Json) => one.rule === rule)
      t.match(opinion, { says: verdict, counts: true })
      t.equal(items[0].risk > 0, true)
      const edited = await service.call('PATCH', `${SITE}/comments/${mine.id}`, {
        token: mine.guest_token,
        body: { body },
      })
      t.match(edited, { status: 202, body: { status: 'pending' } })
      t.equal((await statusesOf(service))[2], rule === 'first_comments' ? 'pending' : verdict)
      t.same(await recount(service.db), [])
    })
})

t.test('a flood', async (t) => {
  const FLOODS: [string, Changes, string][] = [
    ['thread_flood', { thread_flood: { mode: 'enforce', max: 1 } }, 'a'],
    ['network_flood', { network_flood: { mode: 'enforce', max: 1 } }, 'b'],
    ['site_flood', { site_flood: { mode: 'enforce', max: 1 } }, 'b'],
  ]
  for (const [rule, changes, article] of FLOODS)
    await t.test(`the rule ${rule} holds comments beyond its limit`, async (t) => {
      const service = await openService(t)
      await goBy(service, changes)
      t.equal((await service.post('a', 'one')).status, 'approved')
      const held = await service.post(article, 'two')
      t.equal(held.status, 'pending')
      const { items } = (await asAdmin(service).get('/moderation/comments')).body
      t.match(items[0].trace.at(-1), { rule, counts: true })
      const { attack } = (await asAdmin(service).get('/moderation/state')).body
      t.equal(attack !== null, rule === 'site_flood')
    })
})

t.test('screenComment', async (t) => {
  const service = await openService(t)
  const { send } = asAdmin(service)
  await service.post('a', 'Hello there, this has been said before')
  const rows = async () => {
    const { rows } = await sql<Json>`select (select count(*) from comments) as comments,
      (select count(*) from authors) as authors, (select count(*) from threads) as threads,
      (select count(*) from arrivals) as arrivals, (select count(*) from policies) as policies,
      (select count(*) from idempotency_keys) as answers`.execute(service.db)
    return rows[0]
  }
  const before = await rows()
  const policy = policyWith({ repeats: { mode: 'enforce', says: 'spam' } })
  const body = 'Hello there, this has been said before!'

  t.test('screenComment returns the verdict of a draft policy and its trace', async (t) => {
    const { status, body: tried } = await send('/moderation/screenings', { body, policy })
    t.equal(status, 200)
    t.match(tried, { verdict: 'spam', policy_version: null, facts: { repeats: { same: 1 } } })
    t.match(tried.trace.at(-1), { rule: 'repeats', says: 'spam', counts: true })
  })

  t.test('screenComment uses the policy in force by default', async (t) => {
    const { body: tried } = await send('/moderation/screenings', { body, article_id: 'a' })
    t.match(tried, { verdict: 'approved', policy_version: 0, facts: { arrivals: { thread: 2 } } })
  })

  t.test('screenComment returns the status that a comment would get now', async (t) => {
    const { body: tried } = await send('/moderation/screenings', {
      body: 'Hello there, this has been said before',
      article_id: 'a',
      author: { name: 'Ada' },
    })
    const posted = await service.post('a', 'Hello there, this has been said before')
    const { rows } =
      await sql<Json>`select ${storedTrace} as trace from comments c order by id desc limit 1`.execute(
        service.db,
      )
    t.same(
      tried.trace.map(({ rule }: Json) => rule),
      readTrace(rows[0]!.trace).map(({ rule }: Json) => rule),
    )
    t.equal(tried.verdict, posted.status)
  })

  t.test('screenComment stores nothing', async (t) => {
    const { comments, authors, arrivals, answers } = before!
    const one = {
      comments: comments + 1,
      authors: authors + 1,
      arrivals: arrivals + 1,
      answers: answers + 1,
    }
    t.same(await rows(), { ...before, ...one }, 'but the comment that was posted meanwhile')
  })

  t.test('screenComment refuses texts that postComment refuses', async (t) => {
    t.match(await send('/moderation/screenings', { body: ' ' }), { status: 400 })
    const author = { name: '', email: 'x' }
    t.match(await send('/moderation/screenings', { body: 'x', author }), { status: 400 })
  })
})

t.test('a site has two large drafts in progress, and no other site waits for them', async (t) => {
  const service = await openService(t)
  const { call, adminKey: token } = service
  await call('POST', '/v1/sites', { token, body: { slug: 'other', name: 'Other' } })
  const spam = Array.from({ length: 20_000 }, (_, n) => `word${n}`)
  const policy = policyWith({ words: { mode: 'enforce', spam } })
  const screen = (site: string, more: Json = {}) =>
    call('POST', `/v1/sites/${site}/moderation/screenings`, {
      token,
      body: { body: 'word7', ...more },
    })
  const large = Array.from({ length: 6 }, () => screen('default', { policy }))
  const [small, other] = await Promise.all([screen('default'), screen('other', { policy })])
  t.match(small, { status: 200, body: { verdict: 'approved' } })
  t.match(other, { status: 200, body: { verdict: 'spam' } })
  const answers = await Promise.all(large)
  const refused = answers.filter(({ status }) => status === 429)
  t.ok(refused.length > 0 && refused.length <= 4, `${refused.length} of 6 are refused`)
  t.match(refused[0], { body: { code: 'site_busy' }, headers: { 'retry-after': '2' } })
  for (const { status } of answers) t.ok(status === 200 || status === 429)
  t.match(await screen('default', { policy }), { status: 200 }, 'and the slots are free again')
})

/** Comments of all kinds, some decided on, some without facts. */
const plant = async (service: TestService) => {
  const bodies = ['short', 'a link https://e.org', 'two https://e.org https://e.org', 'quiet words']
  const ids: string[] = []
  for (let n = 0; n < 24; n++) ids.push((await service.post(`t${n % 3}`, bodies[n % 4]!)).id)
  for (const [n, to] of ['spam', 'rejected', 'deleted', 'spam'].entries())
    await service.decide(ids[n * 5 + 1]!, 'approved', to)
  await service.decide(ids[0]!, 'approved', 'pending')
  await service.decide(ids[0]!, 'pending', 'approved')
  await service.decide(ids[2]!, 'approved', 'pending')
  await service.decide(ids[2]!, 'pending', 'approved')
  await sql`update comments set facts = null, packed_facts = null where id in (20, 21)`.execute(
    service.db,
  )
  await sql`update comments set created_at = created_at - interval '9 days',
    published_at = published_at - interval '9 days' where id in (22, 23)`.execute(service.db)
}

t.test('simulatePolicy', async (t) => {
  const service = await openService(t)
  await plant(service)
  const policy = policyWith({ links: { mode: 'enforce', says: 'spam', max: 1 } })
  const simulate = async (days: number) => {
    const { text, headers, status } = await asAdmin(service).send('/moderation/simulations', {
      policy,
      days,
    })
    t.match(headers['content-type'], /^application\/x-ndjson/)
    t.equal(status, 200)
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Json)
  }

  t.test('simulatePolicy returns the counts of a count by hand', async (t) => {
    const { rows } =
      await sql<Json>`select c.id, c.body, c.body_html, ${storedFacts} as facts, ${storedTrace} as trace, a.name, a.url,
        (select to_status from decisions d where d.comment_id = c.id order by d.id desc limit 1) as decided
      from comments c join authors a on a.id = c.author_id
      where ${hasFacts} and c.created_at > now() - interval '7 days'`.execute(service.db)
    const screen = compilePolicy(policy)
    const judged = rows
      .map((row) => readJudgement(row as never) as Json)
      .map(({ body, bodyHtml, name, url, facts, trace, decided }) => ({
        from: combine(trace),
        to: screen(
          draftOf({ body, bodyHtml, authorName: name, authorUrl: url, suggestedTitle: null }),
          facts,
        ).verdict,
        decided,
      }))
    const lines = await simulate(7)
    const { result } = lines.at(-1)!
    const held = judged.filter(({ to }) => to !== 'approved')
    const down = judged.filter(({ decided }) => decided && !/approved|pending/.test(decided))
    const both = held.filter((one) => down.includes(one)).length
    const decidedHeld = held.filter(({ decided }) => decided).length
    t.ok(both > 0 && both < held.length && decidedHeld > both)
    t.match(result, { total: judged.length, done: judged.length, changed: held.length })
    t.equal(result.changes.length, held.length)
    t.match(result.draft.all, { spam: held.length, approved: judged.length - held.length })
    t.equal(result.draft.precision, both / decidedHeld)
    t.equal(result.draft.recall, both / down.length)
    t.match(result.stored, { all: { approved: judged.length }, precision: null, recall: 0 })
    t.ok(lines.slice(0, -1).every((line) => 'progress' in line))
  })

  t.test('simulatePolicy reads as far back as requested', async (t) => {
    const [first] = await simulate(7)
    const [longer] = await simulate(30)
    t.equal(longer!.progress.total, first!.progress.total + 2)
  })

  t.test('simulatePolicy changes nothing', async (t) => {
    const state = async () =>
      (await sql<Json>`select id, xmin::text from comments order by id`.execute(service.db)).rows
    const before = await state()
    await simulate(30)
    t.same(await state(), before)
  })

  t.test('simulatePolicy ends when the client disconnects', async (t) => {
    await sql`insert into comments (site_id, thread_id, author_id, status, created_at,
        published_at, body, body_html, renderer, packed_facts, packed_trace)
      select site_id, thread_id, author_id, status, created_at, published_at, body, body_html,
        renderer, packed_facts, packed_trace from comments, generate_series(1, 400) n where id between 1 and 8`.execute(
      service.db,
    )
    const port = await listen(service.app)
    const body = JSON.stringify({ policy, days: 30 })
    const headers = {
      'content-type': 'application/json',
      authorization: `Bearer ${service.adminKey}`,
    }
    const path = `${SITE}/moderation/simulations`
    const seen = await new Promise<string>((resolve, reject) => {
      const request = httpRequest({ port, method: 'POST', path, headers }, (response) => {
        response.once('data', (chunk) => {
          response.destroy()
          resolve(String(chunk))
        })
      })
      request.on('error', reject)
      request.end(body)
    })
    t.match(seen, /"progress"/)
    t.notMatch(seen, /"result"/)
    const alive = await new Promise<number>((resolve) =>
      httpGet({ port, path: '/livez' }, (response) => resolve(response.statusCode!)),
    )
    t.equal(alive, 200)
  })
})

t.test('rejudgePending', async (t) => {
  const service = await openService(t)
  const { get, send } = asAdmin(service)
  const strict: Changes = { length: { mode: 'enforce', min: 100 } }
  await goBy(service, strict)
  const ids: string[] = []
  for (let n = 0; n < 9; n++)
    ids.push((await service.post(`t${n % 3}`, n % 2 === 0 ? `fine ${n}` : `casino ${n}`)).id)
  await service.decide(ids[0]!, 'pending', 'approved')
  await service.decide(ids[0]!, 'approved', 'pending')
  await sql`update comments set facts = null, packed_facts = null where id = 3`.execute(service.db)
  await goBy(service, { words: { mode: 'enforce', spam: ['casino'] } })
  const done = async (id: string): Promise<Json> => {
    for (let asked = 0; asked < 1_000; asked++) {
      const { body } = await get(`/moderation/batches/${id}`)
      if (body.ended_at !== null) return body
    }
    throw new Error('the batch does not end')
  }
  const started = await send('/moderation/rejudgements')
  t.match(started, { status: 202, body: { kind: 'judge', total: 7 } })
  const batch = await done(started.body.id)

  t.test('rejudgePending changes the status to the verdict of the policy in force', async (t) => {
    t.match(batch, { total: 7, done: 7, changed: 7, outcomes: { changed: 7, unchanged: 0 } })
    const spam = 'spam'
    const [a, p] = ['approved', 'pending']
    const expected = { 1: p, 2: spam, 3: p, 4: spam, 5: a, 6: spam, 7: a, 8: spam, 9: a }
    t.same(
      await statusesOf(service),
      expected,
      'but what a person sent back, and what has no facts',
    )
    t.same(await recount(service.db), [])
  })

  t.test('rejudgePending leaves a decision for each comment', async (t) => {
    const { items } = (await get('/moderation/decisions')).body
    const those = items.filter(({ batch_id }: Json) => batch_id === batch.id)
    t.equal(those.length, 7)
    t.match(those[0], { from: 'pending', policy_version: 2, note: 'judged again by policy 2' })
  })

  t.test('rejudgePending keeps the facts of the first judgement', async (t) => {
    const { rows } =
      await sql<Json>`select policy_version, ${storedTrace} as trace from comments c where id = 2`.execute(
        service.db,
      )
    t.match(rows[0], { policyVersion: 2 })
    t.ok(readTrace(rows[0]!.trace).some(({ rule }) => rule === 'words'))
  })

  t.test('rejudgePending can be undone', async (t) => {
    const undone = await send(`/moderation/batches/${batch.id}/undos`, {})
    t.ok(undone.status < 300, undone.text)
    await done(undone.body.batch?.id ?? undone.body.id)
    t.same(new Set(Object.values(await statusesOf(service))), new Set(['pending']))
    t.same(await recount(service.db), [])
  })

  t.test('rejudgePending can be repeated after an undo', async (t) => {
    const again = await send('/moderation/rejudgements')
    t.match(again.body, { total: 7 })
    t.match(await done(again.body.id), { changed: 7 })
    t.same(await recount(service.db), [])
  })
})
