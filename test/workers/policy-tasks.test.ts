import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { renderMarkdown } from '../../src/domain/comment/markdown.ts'
import { compilePolicy, judgeBy } from '../../src/domain/screening/compile-policy.ts'
import { DEFAULT_POLICY } from '../../src/domain/screening/default-policy.ts'
import { draftOf } from '../../src/domain/screening/facts.ts'
import type { Policy } from '../../src/domain/screening/policy.ts'
import { createPolicyTasks } from '../../src/workers/policy-tasks.ts'
import { factsOf } from '../domain/screening/facts.ts'
import { runs } from '../lengths.ts'

/** Words that make the policy too long to be compiled in the thread of the test. */
const MANY = Array.from({ length: 2_000 }, (_, n) => `filler${n}`)

const written = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', '@', '*', ' ', '(', '!') })
const entry = fc.tuple(written, fc.constantFrom('a', 'bc', '3')).map(([a, b]) => `${a}${b}`)
const domain = fc.constantFrom('a.example', 'b.example', 'münchen.example', 'example')

const policies = fc
  .record({
    pending: fc.array(entry, { maxLength: 8 }),
    spam: fc.array(entry, { maxLength: 8 }),
    allow: fc.array(domain, { maxLength: 2 }),
    block: fc.array(domain, { maxLength: 2 }),
    mode: fc.constantFrom('enforce', 'record', 'off'),
  })
  .map(
    ({ pending, spam, allow, block, mode }) =>
      ({
        rules: {
          ...DEFAULT_POLICY.rules,
          words: { mode, pending, spam, rejected: MANY },
          link_domains: { mode, says: 'spam', allow, block },
        },
      }) as Policy,
  )

const drafts = fc
  .record({
    body: fc.oneof(
      written,
      written.map((text) => `(${text}) https://www.a.example/ ${text}`),
    ),
    authorName: fc.constantFrom('Ada', 'filler7', 'a b'),
    suggestedTitle: fc.constantFrom(null, 'filler7 a.example'),
    authorUrl: fc.constantFrom(null, 'https://b.example/', 'https://xn--mnchen-3ya.example/'),
  })
  .map((draft) => ({ ...draft, bodyHtml: renderMarkdown(draft.body) }))

t.test('a policy that a worker thread compiled judges as one compiled here', async (t) => {
  const tasks = createPolicyTasks()
  t.teardown(tasks.close)
  const facts = factsOf()
  await fc.assert(
    fc.asyncProperty(
      policies,
      fc.array(drafts, { minLength: 1, maxLength: 8 }),
      async (policy, all) => {
        const here = compilePolicy(policy)
        const prepared = await tasks.prepare(JSON.stringify(policy))
        const there = judgeBy(prepared)
        const judged = await tasks.judge(
          prepared,
          all.map((draft) => ({ ...draft, facts })),
        )
        return all.map(draftOf).every((draft, n) => {
          const expected = here(draft, facts)
          return isDeepStrictEqual(there(draft, facts), expected) && judged[n] === expected.verdict
        })
      },
    ),
    { numRuns: runs(20, 200) },
  )
})
