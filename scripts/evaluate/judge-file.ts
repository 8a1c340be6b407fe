import { renderMarkdown } from '../../src/domain/comment/markdown.ts'
import { compilePolicy, type Judgement } from '../../src/domain/screening/compile-policy.ts'
import { draftOf, type Facts } from '../../src/domain/screening/facts.ts'
import type { Policy } from '../../src/domain/screening/policy.ts'
import { contentOf } from '../../src/domain/screening/rendering.ts'
import {
  fingerprintOf,
  isNearlySame,
  minHashesOf,
} from '../../src/domain/screening/text-similarity.ts'

export type Labelled = { readonly body: string; readonly author: string; readonly isSpam: boolean }
export type Judged = { readonly isSpam: boolean; readonly judgement: Judgement }

const MOST = 100

/**
 * Judges comments in the order of the file. The facts of a comment come from the comments before it:
 * equal texts, and the author's comments that are not spam count as approved.
 */
export const judgeFile = (comments: readonly Labelled[], policy: Policy): Judged[] => {
  const judge = compilePolicy(policy)
  const earlier: { fingerprint: number; sketch: readonly number[] }[] = []
  const decided = new Map<string, { good: number; bad: number }>()
  return comments.map(({ body, author, isSpam }) => {
    const stored = {
      body,
      bodyHtml: renderMarkdown(body),
      authorName: author,
      authorUrl: null,
      suggestedTitle: null,
    }
    const draft = draftOf(stored)
    const content = contentOf(draft.rendering)
    const [fingerprint, sketch] = [fingerprintOf(content), minHashesOf(content)]
    const same = earlier.filter((one) => one.fingerprint === fingerprint).length
    const near = earlier.filter((one) => isNearlySame(one.sketch, sketch)).length - same
    const known = decided.get(author) ?? { good: 0, bad: 0 }
    const facts = factsOf({ same, near: Math.max(0, near), ...known })
    earlier.push({ fingerprint, sketch })
    decided.set(author, { good: known.good + (isSpam ? 0 : 1), bad: known.bad + (isSpam ? 1 : 0) })
    return { isSpam, judgement: judge(draft, facts) }
  })
}

type Known = { same: number; near: number; good: number; bad: number }

const factsOf = ({ same, near, good, bad }: Known): Facts => ({
  at: '2026-01-01T00:00:00.000Z',
  siteModeration: 'post',
  threadModeration: null,
  author: {
    kind: 'guest',
    role: 'reader',
    approved: Math.min(good, MOST),
    recentApproved: Math.min(good, MOST),
    recentRejected: Math.min(bad, MOST),
    emailDomain: null,
  },
  threadSince: null,
  repeats: { same: Math.min(same, MOST), near: Math.min(near, MOST) },
  arrivals: { thread: 1, site: 1, network: 1 },
  attackedUntil: null,
  bans: [],
  checks: {},
})
