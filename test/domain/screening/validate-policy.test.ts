import t from 'tap'
import { DEFAULT_POLICY } from '../../../src/domain/screening/default-policy.ts'
import { validatePolicy } from '../../../src/domain/screening/validate-policy.ts'

type Rules = Record<string, Record<string, unknown>>

/** The shipped policy with other rules. */
const withRules = (rules: Rules) => ({ rules: { ...DEFAULT_POLICY.rules, ...rules } })
const withPart = (rule: keyof typeof DEFAULT_POLICY.rules, part: Record<string, unknown>) =>
  withRules({ [rule]: { ...DEFAULT_POLICY.rules[rule], ...part } })

const faultsOf = (document: unknown) => {
  const checked = validatePolicy(document)
  return checked.ok ? {} : checked.faults
}

t.test(
  'validatePolicy accepts the default policy, also after a round trip through JSON',
  async (t) => {
    t.same(faultsOf(DEFAULT_POLICY), {})
    t.same(faultsOf(JSON.parse(JSON.stringify(DEFAULT_POLICY))), {})
  },
)

t.test('validatePolicy names the place of each error', async (t) => {
  t.same(faultsOf(null), { '': 'must be an object' })
  t.same(faultsOf([]), { '': 'must be an object' })
  t.same(faultsOf({ rules: DEFAULT_POLICY.rules, version: 1 }), { '/version': 'is not known' })
  const { words: _, ...others } = DEFAULT_POLICY.rules
  t.same(faultsOf({ rules: others }), { '/rules/words': 'is required' })
  t.same(faultsOf(withRules({ 'a/b~c': {} })), { '/rules/a~1b~0c': 'is not known' })
})

t.test('validatePolicy checks the bounds of every number', async (t) => {
  t.same(faultsOf(withPart('links', { max: -1 })), {
    '/rules/links/max': 'must be a whole number from 0 to 1,000',
  })
  for (const max of [1.5, '3', null, Number.NaN, 1_001])
    t.same(Object.keys(faultsOf(withPart('links', { max }))), ['/rules/links/max'])
  t.same(Object.keys(faultsOf(withPart('links', { mode: 'on', says: 'approved' }))), [
    '/rules/links/mode',
    '/rules/links/says',
  ])
  t.same(Object.keys(faultsOf(withPart('role', { roles: ['reader', 'king'] }))), [
    '/rules/role/roles/1',
  ])
})

t.test('validatePolicy takes words with a letter or digit, up to a limit', async (t) => {
  const faults = faultsOf(
    withPart('words', { spam: ['ok', '*', '?!', 'a'.repeat(101), 7, '\ud800'] }),
  )
  t.same(
    Object.keys(faults),
    [1, 2, 3, 4, 5].map((n) => `/rules/words/spam/${n}`),
  )
  t.same(faultsOf(withPart('words', { spam: ['13点', 'f*ck', '🍆', '.*(a+)+$'] })), {})
  const many = Array.from({ length: 60_000 }, (_, n) => `word ${n}`)
  t.same(faultsOf(withPart('words', { spam: many })), {})
  t.same(Object.keys(faultsOf(withPart('words', { spam: many, pending: many }))), ['/rules/words'])
  const inner = Array.from({ length: 1_001 }, (_, n) => `a*${n}`)
  t.same(Object.keys(faultsOf(withPart('words', { spam: inner }))), ['/rules/words'])
})

t.test('validatePolicy takes domains without scheme, path and wildcard', async (t) => {
  const block = ['example.com', 'münchen.example', 'xn--mnchen-3ya.example', 'localhost']
  t.same(faultsOf(withPart('link_domains', { block })), {})
  const bad = ['https://example.com', 'a.example/b', '*.example', '', 'a..b', 'a b', 'x'.repeat(64)]
  t.equal(Object.keys(faultsOf(withPart('link_domains', { block: bad }))).length, bad.length)
})

t.test('validatePolicy checks the names and bounds of external checks', async (t) => {
  const check = { mode: 'record', says: 'spam', at: 0.5, on_failure: 'hold' }
  t.same(faultsOf(withRules({ checks: { akismet: check } })), {})
  t.same(Object.keys(faultsOf(withRules({ checks: { akismet: { ...check, at: 2 } } }))), [
    '/rules/checks/akismet/at',
  ])
  t.same(faultsOf(withRules({ checks: { '1st': check } })), {}, 'every name that a site accepts')
  t.same(Object.keys(faultsOf(withRules({ checks: { ab_c: check } }))), ['/rules/checks/ab_c'])
  t.same(Object.keys(faultsOf(withRules({ checks: { __proto__x: check, 'A B': check } }))), [
    '/rules/checks/__proto__x',
    '/rules/checks/A B',
  ])
})

t.test('validatePolicy returns a bounded list of errors for any document', async (t) => {
  const spam = Array.from({ length: 90_000 }, () => '')
  t.equal(Object.keys(faultsOf(withPart('words', { spam }))).length, 20)
})
