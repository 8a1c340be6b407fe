import { renderMarkdown } from '../../../src/domain/comment/markdown.ts'
import type { Draft, Facts } from '../../../src/domain/screening/facts.ts'
import { readRendering } from '../../../src/domain/screening/rendering.ts'

type Given = Omit<Partial<Facts>, 'author' | 'repeats' | 'arrivals'> & {
  author?: Partial<Facts['author']>
  repeats?: Partial<Facts['repeats']>
  arrivals?: Partial<Facts['arrivals']>
}

/** Harmless facts, replaced by the given ones. */
export const factsOf = ({ author, repeats, arrivals, ...given }: Given = {}): Facts => ({
  at: '2026-11-23T09:30:00.000Z',
  siteModeration: 'post',
  threadModeration: null,
  author: {
    kind: 'guest',
    role: 'reader',
    approved: 100,
    recentApproved: 0,
    recentRejected: 0,
    emailDomain: null,
    ...author,
  },
  threadSince: '2026-11-23T09:00:00.000Z',
  repeats: { same: 0, near: 0, ...repeats },
  arrivals: { thread: 1, site: 1, network: 1, ...arrivals },
  attackedUntil: null,
  bans: [],
  checks: {},
  ...given,
})

/** The draft of a comment with this source. */
export const draftOf = (body: string, author: Partial<Draft> = {}): Draft => ({
  rendering: readRendering(body, renderMarkdown(body)),
  authorName: 'Ada',
  authorUrl: null,
  suggestedTitle: null,
  ...author,
})
