import fc from 'fast-check'
import t from 'tap'
import { judgeDraft } from '../../../src/domain/screening/compile-policy.ts'
import { DEFAULT_POLICY } from '../../../src/domain/screening/default-policy.ts'
import type { Draft, Facts } from '../../../src/domain/screening/facts.ts'
import { combine, riskOf, VERDICTS } from '../../../src/domain/screening/finding.ts'
import type { Policy } from '../../../src/domain/screening/policy.ts'
import { NAUGHTY_STRINGS } from '../../fixtures/hostile.ts'
import { draftOf, factsOf } from './facts.ts'

const count = fc.nat({ max: 100 })
const pieces = [
  'buy ',
  'v1agra ',
  'СLICK here ',
  'https://a.example/ ',
  'b.com ',
  '!!!!! ',
  'LOUD WORDS ',
  '[x.com](http://y.com) ',
  '[w](https:/y.com) ',
  's**u**bm&#105;t ',
  'http://a.com@b.com ',
  's u b m e ',
  '三级片',
  '\u0301\u0316',
  '\ud800',
  '𝓿',
]
const drafts: fc.Arbitrary<Draft> = fc
  .record({
    body: fc
      .array(fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: 'binary', maxLength: 8 })), {
        maxLength: 12,
      })
      .map((parts) => parts.join('')),
    authorName: fc.string({ maxLength: 20 }),
    authorUrl: fc.option(fc.webUrl()),
    suggestedTitle: fc.option(fc.constantFrom('a title', ...pieces)),
  })
  .map(({ body, ...author }) => draftOf(body, author))
const facts: fc.Arbitrary<Facts> = fc
  .record({
    approved: count,
    recentApproved: count,
    recentRejected: count,
    role: fc.constantFrom('reader' as const, 'moderator' as const),
    same: fc.nat({ max: 3 }),
    site: fc.nat({ max: 1_000 }),
    siteModeration: fc.constantFrom('post' as const, 'pre' as const),
    effect: fc.constantFrom('hold' as const, 'shadow' as const, undefined),
    score: fc.double({ min: 0, max: 1, noNaN: true, noDefaultInfinity: true }).map((s) => s + 0),
  })
  .map(({ same, site, siteModeration, effect, score, ...author }) =>
    factsOf({
      author: { ...author, emailDomain: 'mail.mailinator.com' },
      repeats: { same },
      arrivals: { site },
      siteModeration,
      bans: effect ? [{ id: 7, effect }] : [],
      checks: { akismet: { state: 'answered', score } },
    }),
  )

const NAMES = Object.keys(DEFAULT_POLICY.rules).filter((name) => name !== 'checks')
const check = { says: 'spam', at: 0.5, on_failure: 'hold' } as const
const modes = fc.constantFrom('off' as const, 'record' as const, 'enforce' as const)

/** The rules of the default policy, each in a random mode. */
const policies: fc.Arbitrary<Policy> = fc
  .tuple(fc.array(modes, { minLength: NAMES.length, maxLength: NAMES.length }), modes)
  .map(([all, mode]) => ({
    rules: {
      ...(Object.fromEntries(
        NAMES.map((name, n) => [
          name,
          { ...DEFAULT_POLICY.rules[name as keyof Policy['rules']], mode: all[n] },
        ]),
      ) as unknown as Policy['rules']),
      checks: { akismet: { ...check, mode } },
    },
  }))

const again = <T>(value: T): T => JSON.parse(JSON.stringify(value))
const RUNS = { numRuns: 60 }

t.test('judgeDraft judges the same input alike, also after storage and other drafts', async () => {
  fc.assert(
    fc.property(drafts, facts, policies, (draft, known, policy) => {
      const first = judgeDraft(draft, known, policy)
      const isSame = (judgement: unknown) => JSON.stringify(judgement) === JSON.stringify(first)
      return (
        isSame(judgeDraft(draft, known, policy)) &&
        isSame(judgeDraft(again(draft), again(known), again(policy)))
      )
    }),
    RUNS,
  )
})

t.test('the stored trace gives the same verdict and risk as the judgement', async () => {
  fc.assert(
    fc.property(drafts, facts, policies, (draft, known, policy) => {
      const { verdict, risk, trace } = judgeDraft(draft, known, policy)
      return combine(again(trace)) === verdict && riskOf(again(trace)) === risk
    }),
    RUNS,
  )
})

t.test('every finding has a rule, a score of 0 to 100 and a sentence', async () => {
  fc.assert(
    fc.property(drafts, facts, policies, (draft, known, policy) =>
      judgeDraft(draft, known, policy).trace.every(
        ({ rule, says, counts, score = 0, evidence }) =>
          rule !== '' &&
          VERDICTS.includes(says) &&
          typeof counts === 'boolean' &&
          score >= 0 &&
          score <= 100 &&
          evidence !== '',
      ),
    ),
    RUNS,
  )
})

t.test('every text match of a finding is at its place in the draft', async () => {
  fc.assert(
    fc.property(drafts, facts, policies, (draft, known, policy) => {
      const fields = {
        body: draft.rendering.body,
        name: draft.authorName,
        url: draft.authorUrl ?? '',
        title: draft.suggestedTitle ?? '',
        email: '',
      }
      const found = judgeDraft(draft, known, policy).trace.flatMap((opinion) => opinion.found ?? [])
      return found.every(({ field, start, end, text, reading }) => {
        const read = reading === 'rendered' ? draft.rendering.text : fields[field]
        return read.slice(start, end) === text && (start < end || reading === 'rendered')
      })
    }),
    RUNS,
  )
})

t.test('rules that abstain, are off or only record never change the verdict', async () => {
  fc.assert(
    fc.property(
      drafts,
      facts,
      policies,
      fc.constantFrom(...NAMES),
      (draft, known, policy, name) => {
        const withMode = (mode: string): Policy => {
          const rules = policy.rules as unknown as Record<string, object>
          return {
            rules: { ...rules, [name]: { ...rules[name], mode } } as unknown as Policy['rules'],
          }
        }
        const [off, record, enforce] = ['off', 'record', 'enforce'].map((mode) =>
          judgeDraft(draft, known, withMode(mode)),
        )
        const spoke = enforce!.trace.some(({ rule }) => rule === name)
        return (
          off!.verdict === record!.verdict &&
          (spoke || JSON.stringify(enforce) === JSON.stringify(off))
        )
      },
    ),
    RUNS,
  )
})

t.test('judgeDraft judges every naughty string', async (t) => {
  for (const body of NAUGHTY_STRINGS) {
    t.type(judgeDraft(draftOf(body), factsOf(), DEFAULT_POLICY).risk, 'number')
  }
})

t.test(
  'judgeDraft judges texts made to be slow: all letters, all marks, all brackets, all links',
  async (t) => {
    const units = [
      'a',
      'A',
      '!',
      '[',
      '](',
      'http://',
      'a.',
      'a.com ',
      '\u0301',
      '\ud83d',
      '😀',
      'a-',
      '@',
    ]
    for (const unit of units) {
      const body = unit.repeat(10_000)
      t.type(
        judgeDraft(draftOf(body), factsOf(), DEFAULT_POLICY).risk,
        'number',
        JSON.stringify(unit),
      )
    }
  },
)
