import t from 'tap'
import { judgeDraft } from '../../../src/domain/screening/compile-policy.ts'
import { DEFAULT_POLICY } from '../../../src/domain/screening/default-policy.ts'
import type { Facts } from '../../../src/domain/screening/facts.ts'
import type { Finding } from '../../../src/domain/screening/finding.ts'
import type { Policy } from '../../../src/domain/screening/policy.ts'
import { draftOf, factsOf } from './facts.ts'

type Rules = Policy['rules']

const policyOf = (rules: Partial<Rules>): Policy => ({
  rules: { ...DEFAULT_POLICY.rules, ...rules },
})

/** The finding of one rule for a comment, or undefined. */
const said = (
  rule: string,
  { body = 'Good day to you all.', facts = factsOf(), rules = {} as Partial<Rules>, url = '' },
): Finding | undefined =>
  judgeDraft(draftOf(body, { authorUrl: url || null }), facts, policyOf(rules)).trace.find(
    (opinion) => opinion.rule === rule,
  )

t.test('rules on facts fire from their threshold on', async (t) => {
  const author = (given: Partial<Facts['author']>) => factsOf({ author: given })
  const arrivals = (given: Partial<Facts['arrivals']>) => factsOf({ arrivals: given })
  const cases: readonly (readonly [rule: string, silent: Facts, speaks: Facts])[] = [
    ['role', author({ role: 'reader' }), author({ role: 'contributor' })],
    ['first_comments', author({ approved: 1 }), author({ approved: 0 })],
    [
      'rejections',
      author({ recentApproved: 3, recentRejected: 2 }),
      author({ recentApproved: 2, recentRejected: 3 }),
    ],
    ['repeats', factsOf({ repeats: { near: 1 } }), factsOf({ repeats: { same: 1 } })],
    ['thread_flood', arrivals({ thread: 60 }), arrivals({ thread: 61 })],
    ['network_flood', arrivals({ network: 20 }), arrivals({ network: 21 })],
    ['site_flood', arrivals({ site: 300 }), arrivals({ site: 301 })],
    [
      'site_flood',
      factsOf({ attackedUntil: '2026-11-23T09:30:00.000Z' }),
      factsOf({ attackedUntil: '2026-11-23T09:30:00.001Z' }),
    ],
    [
      'disposable_email',
      author({ emailDomain: 'notmailinator.com' }),
      author({ emailDomain: 'a.mailinator.com' }),
    ],
    [
      'old_threads',
      factsOf({ threadSince: '2025-11-23T09:30:00.001Z' }),
      factsOf({ threadSince: '2025-11-23T09:30:00.000Z' }),
    ],
  ]
  for (const [rule, silent, speaks] of cases) {
    t.equal(said(rule, { facts: silent }), undefined, rule)
    t.ok(said(rule, { facts: speaks }), rule)
  }
  t.equal(said('repeats', { body: 'Thanks!', facts: factsOf({ repeats: { same: 9 } }) }), undefined)
})

t.test(
  'the rule of a check fires from its score on, while it is awaited, and when it failed',
  async (t) => {
    const check = { mode: 'enforce', says: 'spam', at: 0.9 } as const
    const verdictOf = (on_failure: 'ignore' | 'hold', checks: Facts['checks']) =>
      judgeDraft(
        draftOf('Good day.'),
        factsOf({ checks }),
        policyOf({ checks: { c: { ...check, on_failure } } }),
      ).verdict
    for (const on_failure of ['ignore', 'hold'] as const) {
      t.equal(verdictOf(on_failure, { c: { state: 'answered', score: 0.9 } }), 'spam')
      t.equal(verdictOf(on_failure, { c: { state: 'answered', score: 0.89 } }), 'approved')
      t.equal(verdictOf(on_failure, { c: { state: 'asked' } }), 'pending')
    }
    t.equal(verdictOf('ignore', { c: { state: 'failed', why: 'time-out' } }), 'approved')
    t.equal(verdictOf('hold', { c: { state: 'failed', why: 'time-out' } }), 'pending')
    t.equal(verdictOf('hold', {}), 'pending', 'it was not asked at all')
  },
)

t.test('the link rule fires from its number of links on, without allowed domains', async (t) => {
  const body = 'http://a.com http://b.com http://c.com http://d.allowed.com'
  const link_domains = {
    mode: 'enforce',
    says: 'spam',
    allow: ['allowed.com'],
    block: ['c.com'],
  } as const
  t.equal(said('links', { body })?.found?.length, 4)
  t.equal(said('links', { body, rules: { link_domains } }), undefined)
  t.equal(said('links_of_new', { body }), undefined)
  t.ok(said('links_of_new', { body, facts: factsOf({ author: { approved: 0 } }) }))
  t.same(said('link_domains', { body, rules: { link_domains } })?.found, [
    { text: 'http://c.com', field: 'body', start: 26, end: 38 },
  ])
  t.equal(
    said('link_domains', { rules: { link_domains }, url: 'https://www.c.com/' })?.found?.[0]?.field,
    'url',
  )
  t.ok(said('link_domains', { body: '[http://a.com](http://b.com)' }), 'it pretends')
})

t.test('the shouting rule fires on capitals and on rows of one character', async (t) => {
  const found = (body: string) => said('shouting', { body })?.found?.map(({ text }) => text)
  t.same(found('THIS IS VERY LOUD INDEED, is it'), ['THIS', 'IS', 'VERY', 'LOUD', 'INDEED'])
  t.same(found('Really?!?!? Nooooooooooo'), ['?!?!?', 'ooooooooooo'])
  for (const quiet of [
    'NASA and ESA went on',
    'OK',
    'Well!!!! ----------- ..........',
    '这个视频非常好看我非常喜欢这个视频',
  ])
    t.equal(found(quiet), undefined, quiet)
})

t.test('the word rule gives the verdict of the strictest list', async (t) => {
  const rules = {
    words: { mode: 'enforce', pending: ['red'], spam: ['green'], rejected: ['blue*'] },
  } as const
  t.equal(said('words', { body: 'red', rules })?.says, 'pending')
  t.equal(said('words', { body: 'red and green', rules })?.says, 'spam')
  const all = said('words', { body: 'Red, green, BLUES', rules })
  t.equal(all?.says, 'rejected')
  t.equal(all?.evidence, 'it says what is listed as rejected: blue*')
  t.same(
    all?.found?.map(({ text }) => text),
    ['Red', 'green', 'BLUE'],
  )
  t.ok(said('length', { body: ' a ' }))
})
