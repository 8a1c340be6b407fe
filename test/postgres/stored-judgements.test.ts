import { deepStrictEqual } from 'node:assert'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import { ROLES } from '../../src/domain/comment/comment.ts'
import { compilePolicy } from '../../src/domain/screening/compile-policy.ts'
import type { Facts } from '../../src/domain/screening/facts.ts'
import { type Finding, VERDICTS } from '../../src/domain/screening/finding.ts'
import {
  readFacts,
  readTrace,
  storedFacts,
  storedTrace,
  toJudgementColumns,
} from '../../src/postgres/screening/stored-judgements.ts'
import { draftOf, factsOf } from '../domain/screening/facts.ts'
import { runs } from '../lengths.ts'
import { goBy, policyWith } from '../policies.ts'
import { openService, type TestService } from '../service.ts'

const count = fc.nat({ max: 1_000 })
const instant = fc
  .date({ min: new Date('2020-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
  .map((date) => date.toISOString())
const mode = fc.constantFrom('pre' as const, 'post' as const)
const name = fc.stringMatching(/^[a-z_.]{1,12}$/)

const anyFacts: fc.Arbitrary<Facts> = fc.record({
  at: instant,
  siteModeration: mode,
  threadModeration: fc.option(mode),
  author: fc.record({
    kind: fc.constantFrom('guest', 'member'),
    role: fc.constantFrom(...ROLES),
    approved: count,
    recentApproved: count,
    recentRejected: count,
    emailDomain: fc.option(fc.string()),
  }),
  threadSince: fc.option(instant),
  repeats: fc.record({ same: count, near: count }),
  arrivals: fc.record({ thread: count, site: count, network: count }),
  attackedUntil: fc.option(instant),
  bans: fc.oneof(
    { weight: 4, arbitrary: fc.constant([]) },
    fc.array(fc.record({ id: count, effect: fc.constantFrom('hold', 'shadow') })),
  ),
  checks: fc.oneof(
    { weight: 4, arbitrary: fc.constant({}) },
    fc.dictionary(name, fc.constant({ state: 'asked' as const })),
  ),
})

/** Sentences like those of rules: with numbers, signs, and numbers that are written in other ways. */
const evidence = fc
  .tuple(
    fc.constantFrom(
      'its author has N approved comments, and needs N',
      'in the last minute N comments came from its network',
      'a character is repeated again and again',
      'N of N letters are capitals',
      '["words", N',
      'N',
    ),
    fc.array(fc.oneof(count.map(String), fc.constantFrom('1,000', '007', '#', '1e9', '', '٣')), {
      minLength: 2,
      maxLength: 2,
    }),
  )
  .map(([sentence, values]) => values.reduce((text, value) => text.replace('N', value), sentence))

const match = fc.record(
  {
    text: fc.string({ unit: 'binary' }),
    field: fc.constantFrom('body', 'name', 'url', 'title', 'email'),
    start: count,
    end: count,
    reading: fc.constant('rendered' as const),
  },
  { requiredKeys: ['text', 'field', 'start', 'end'] },
)

const anyTrace: fc.Arbitrary<Finding[]> = fc.array(
  fc.record(
    {
      rule: name,
      says: fc.constantFrom(...VERDICTS),
      counts: fc.boolean(),
      score: fc.nat({ max: 100 }),
      evidence: fc.oneof(evidence, fc.string({ unit: 'binary' })),
      found: fc.array(match, { maxLength: 3 }),
    },
    { requiredKeys: ['rule', 'says', 'evidence'] },
  ),
  { maxLength: 4 },
)

const asJson = <T>(value: T): T => JSON.parse(JSON.stringify(value))

type Read = { facts: Facts; trace: readonly Finding[] }

/** Writes a judgement as columns and reads it back. */
const rewrite = (judged: Read): Read => {
  const { facts, screening, packedFacts, packedTrace } = toJudgementColumns(judged)
  return {
    facts: readFacts((facts ?? packedFacts)!),
    trace: readTrace((screening ?? packedTrace)!),
  }
}

t.test('facts and traces read from their stored form are what was stored', async (t) => {
  fc.assert(
    fc.property(anyFacts.map(asJson), anyTrace.map(asJson), (facts, trace) => {
      deepStrictEqual(rewrite({ facts, trace }), { facts, trace })
    }),
    { numRuns: runs(300, 5_000) },
  )
  t.pass()
})

t.test('facts and traces have the packed form unless a ban or a check is among them', async (t) => {
  const packed = toJudgementColumns({ facts: factsOf(), trace: [] })
  t.strictSame(packed, {
    facts: null,
    screening: null,
    packedFacts: `[${Date.parse('2026-11-23T09:30:00Z')},1800000,1,1,1,100]`,
    packedTrace: '[]',
  })
  for (const facts of [
    factsOf({ bans: [{ id: 7, effect: 'hold' }] }),
    factsOf({ checks: { own: { state: 'asked' } } }),
    { ...factsOf(), newerFact: 1 },
    factsOf({ at: '2026-11-23' }),
    factsOf({ threadSince: 'before' }),
  ]) {
    const columns = toJudgementColumns({ facts, trace: [] })
    t.match(columns, { packedFacts: null, packedTrace: null })
    t.strictSame(readFacts(columns.facts!), facts)
  }
})

t.test('a finding with an unknown field is stored as it is', async (t) => {
  const finding = { rule: 'words', says: 'spam', evidence: 'e', later: 1 } as const
  const { packedTrace } = toJudgementColumns({ facts: factsOf(), trace: [finding] })
  t.strictSame(readTrace(packedTrace!), [finding])
})

const HARSH = {
  links: { mode: 'enforce', max: 0 },
  links_of_new: { mode: 'enforce', approved: 5 },
  first_comments: { mode: 'enforce', approved: 5 },
  repeats: { mode: 'record', same: 1, near: 1 },
  length: { mode: 'enforce', min: 12 },
  shouting: { mode: 'record' },
  thread_flood: { mode: 'record', max: 1 },
  old_threads: { mode: 'record', days: 1 },
} as const

const BODIES = [
  'no',
  'SHOUTING IN CAPITALS, AGAIN',
  'see https://a.example',
  'Check out my channel!',
]

t.test('the sentences of rules are stored as places and numbers', async (t) => {
  const judge = compilePolicy(policyWith(HARSH))
  const counts = { approved: 1, recentRejected: 9 }
  const facts = factsOf({
    author: counts,
    threadSince: '2020-01-01T00:00:00.000Z',
    repeats: { same: 2 },
    arrivals: { thread: 999, site: 1000, network: 1000 },
  })
  const traces = BODIES.map((body) => judge(draftOf(body), facts).trace)
  for (const trace of traces) t.strictSame(rewrite({ facts, trace }).trace, trace)
  const { packedTrace } = toJudgementColumns({ facts, trace: traces[0]! })
  const words = JSON.parse(packedTrace!)
    .flat()
    .filter((value: unknown) => typeof value === 'string')
  t.strictSame(
    new Set(words),
    new Set([...traces[0]!.map(({ rule }) => rule), '1,000', '2,518']),
    'no sentence, and numbers as they are written',
  )
})

/** Stores every judgement in the long form, as releases before the packed form do. */
const lengthen = async ({ db }: TestService) => {
  const { rows } = await sql<{ id: number; facts: string; trace: string }>`
    select id, ${storedFacts} as facts, ${storedTrace} as trace from comments c`.execute(db)
  for (const { id, facts, trace } of rows)
    await sql`
      update comments set facts = ${JSON.stringify(readFacts(facts))}::jsonb,
        screening = ${JSON.stringify(readTrace(trace))}::jsonb, packed_facts = null, packed_trace = null
      where id = ${id}`.execute(db)
  return rows.length
}

const countPacked = async ({ db }: TestService) => {
  const { rows } = await sql<{ number: number }>`
    select count(*) as number from comments where packed_facts is not null and packed_trace is not null
      and facts is null and screening is null`.execute(db)
  return rows[0]!.number
}

/** The encrypted time of each answer differs. */
const withoutTimes = (texts: readonly string[]) =>
  texts.map((text) => text.replace(/"as_of":"[^"]*"/, ''))

t.test('moderators read the same from both forms, and simulations give the same', async (t) => {
  const service = await openService(t)
  const token = service.adminKey
  await goBy(service, HARSH)
  const posted: Record<string, any>[] = []
  for (const body of BODIES) posted.push(await service.post('a', body))
  const site = '/moderation'
  const simulate = async (): Promise<string> => {
    const body = { policy: policyWith({ words: { mode: 'enforce' } }), days: 1 }
    const path = `/v1/sites/default${site}/simulations`
    const { status, text } = await service.call('POST', path, { token, body })
    t.equal(status, 200)
    return text
  }
  const read = async (): Promise<string[]> => [
    (await service.get(`${site}/comments`, { token })).text,
    (await service.get(`${site}/comments?rule=links`, { token })).text,
    (await service.get(`${site}/comments?rule=words`, { token })).text,
    (await service.get(`/comments/${posted[1]!.id}/statement`, { token: posted[1]!.guest_token }))
      .text,
    await simulate(),
  ]
  t.equal(await countPacked(service), BODIES.length)
  const packed = await read()
  t.match(packed[1], /a\.example/)
  t.notMatch(packed[1], /SHOUTING/)
  t.match(packed[0], /"recent_approved":0/)
  t.equal(await lengthen(service), BODIES.length)
  t.equal(await countPacked(service), 0)
  t.ok(isDeepStrictEqual(withoutTimes(await read()), withoutTimes(packed)))
})

t.test('a new judgement of a comment in the long form has the packed form alone', async (t) => {
  const service = await openService(t)
  const { id, guest_token: token } = await service.post('a', 'First')
  await lengthen(service)
  const path = `/v1/sites/default/comments/${id}`
  t.equal((await service.call('PATCH', path, { token, body: { body: 'Second' } })).status, 200)
  t.equal(await countPacked(service), 1)
})

t.test('the long form is the later one if a release before judged again', async (t) => {
  const service = await openService(t)
  const { id } = await service.post('a', 'First')
  await sql`update comments set facts = '{"at": "2026-11-23T09:30:00.000Z"}', screening = '[]'`.execute(
    service.db,
  )
  const { rows } = await sql`select ${storedFacts} as facts from comments c`.execute(service.db)
  t.match(rows, [{ facts: '{"at": "2026-11-23T09:30:00.000Z"}' }], id)
})

t.test('a release before empties the packed form too when it empties a text', async (t) => {
  const service = await openService(t)
  await service.post('a', 'Check out my channel!')
  await sql`update comments set body = '', body_html = '', screening = null, facts = null, risk = 0`.execute(
    service.db,
  )
  t.equal(await countPacked(service), 0)
})
