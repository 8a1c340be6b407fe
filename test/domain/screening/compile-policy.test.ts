import t from 'tap'
import { compilePolicy, judgeDraft } from '../../../src/domain/screening/compile-policy.ts'
import { DEFAULT_POLICY } from '../../../src/domain/screening/default-policy.ts'
import type { Policy } from '../../../src/domain/screening/policy.ts'
import { draftOf, factsOf } from './facts.ts'

const MODES_OF_FIRST = (mode: 'off' | 'record' | 'enforce'): Policy => ({
  rules: { ...DEFAULT_POLICY.rules, first_comments: { mode, says: 'pending', approved: 1 } },
})
const STRANGER = factsOf({ author: { approved: 0 } })

t.test(
  'an enforced rule counts, a recording rule does not, and a rule that is off does not run',
  async (t) => {
    const judge = (mode: 'off' | 'record' | 'enforce') =>
      judgeDraft(draftOf('Good day.'), STRANGER, MODES_OF_FIRST(mode))
    const opinion = {
      rule: 'first_comments',
      says: 'pending',
      score: 10,
      evidence: 'its author has 0 approved comments, and needs 1',
    }
    t.same(judge('enforce').trace, [{ ...opinion, counts: true }])
    t.equal(judge('enforce').verdict, 'pending')
    t.same(judge('record').trace, [{ ...opinion, counts: false }])
    t.equal(judge('record').verdict, 'approved')
    t.same(judge('off').trace, [])
  },
)

t.test('compilePolicy takes a rule that the policy lacks for off', async (t) => {
  const { first_comments: _, ...rules } = MODES_OF_FIRST('enforce').rules
  const older = { rules } as unknown as Policy
  t.same(judgeDraft(draftOf('Good day.'), STRANGER, older), {
    verdict: 'approved',
    risk: 0,
    trace: [],
  })
})

t.test('the site’s moderation mode and bans count whatever the policy says', async (t) => {
  const judge = compilePolicy(DEFAULT_POLICY)
  const verdictOf = (facts: Parameters<typeof factsOf>[0]) =>
    judge(draftOf('Good day.'), factsOf(facts)).verdict
  t.equal(verdictOf({}), 'approved')
  t.equal(verdictOf({ siteModeration: 'pre' }), 'pending')
  t.equal(verdictOf({ siteModeration: 'pre', threadModeration: 'post' }), 'approved')
  t.equal(verdictOf({ threadModeration: 'pre' }), 'pending')
  t.equal(verdictOf({ bans: [{ id: 1, effect: 'hold' }] }), 'pending')
  t.equal(
    verdictOf({
      bans: [
        { id: 1, effect: 'hold' },
        { id: 2, effect: 'shadow' },
      ],
    }),
    'rejected',
  )
})
