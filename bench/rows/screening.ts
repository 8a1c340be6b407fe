import { renderMarkdown } from '../../src/domain/comment/markdown.ts'
import { compilePolicy } from '../../src/domain/screening/compile-policy.ts'
import { DEFAULT_POLICY } from '../../src/domain/screening/default-policy.ts'
import { draftOf, type Facts } from '../../src/domain/screening/facts.ts'
import type { Policy } from '../../src/domain/screening/policy.ts'
import { atMost, quantile, say } from '../figures.ts'
import { createRandom } from '../random.ts'
import type { Row } from '../row.ts'

const WORDS = 65_000
const CHARACTERS = 10_000
const COMMENTS = 200
/** How often the benchmark judges each comment. */
const ROUNDS = 10
const WARM_ROUNDS = 5
/** Percent of a comment's words that are listed, disguised, or an address. */
const SHARE = { listed: 1, disguised: 1, link: 0.2 }

const SYLLABLES = (
  'ba be bi bo bu da de di do ka ke ki ko la le li lo ma me mi mo na ne ni no pa pe ra re ri ro sa se ' +
  'si so ta te ti to va ve vi vo za zo an en in on ar er ir or as es is os al el il ol'
).split(' ')
const LEET = new Map(Object.entries({ a: '4', e: '3', i: '1', o: '0', s: '5' }))

const FACTS: Facts = {
  at: '2026-11-23T09:30:00.000Z',
  siteModeration: 'post',
  threadModeration: null,
  author: {
    kind: 'guest',
    role: 'reader',
    approved: 0,
    recentApproved: 0,
    recentRejected: 0,
    emailDomain: 'mail.example',
  },
  threadSince: '2026-11-22T09:30:00.000Z',
  repeats: { same: 0, near: 0 },
  arrivals: { thread: 1, site: 1, network: 1 },
  attackedUntil: null,
  bans: [],
  checks: {},
}

export const SCREENING: Row = {
  lines: [
    {
      row: `judging ${CHARACTERS.toLocaleString('en')} characters by every rule, ${WORDS.toLocaleString('en')} words, 99th percentile`,
      against: '',
      goal: atMost(1),
    },
  ],
  run: async () => {
    const random = createRandom(5)
    const words = makeWords(random)
    const begun = performance.now()
    const judge = compilePolicy(policyOf(words))
    const compiled = performance.now() - begun
    const comments = Array.from({ length: COMMENTS }, () => makeComment(words, random)).map(
      (body) => ({ body, bodyHtml: renderMarkdown(body) }),
    )
    const times = judgeAll(WARM_ROUNDS + ROUNDS, () =>
      comments.map(({ body, bodyHtml }) => {
        const start = performance.now()
        judge(
          draftOf({ body, bodyHtml, authorName: 'Ada', authorUrl: null, suggestedTitle: null }),
          FACTS,
        )
        return performance.now() - start
      }),
    )
    return [
      {
        value: quantile(times, 0.99),
        low: Math.min(...times),
        high: Math.max(...times),
        unit: 'ms',
        command: `compilePolicy(policy)(draft, facts), ${times.length} times, in this process`,
        note:
          `The median is ${say(quantile(times, 0.5))} ms; ${COMMENTS} comments in turn, of which one word in a hundred ` +
          `is listed and one is disguised. Made ready in ${say(compiled)} ms.`,
      },
    ]
  },
}

const judgeAll = (rounds: number, judgeEach: () => number[]): number[] =>
  Array.from({ length: rounds }, judgeEach).slice(WARM_ROUNDS).flat()

/** Of ten entries, one is a phrase and one has a wildcard. */
const makeWords = (random: () => number): string[] => {
  const words = new Set<string>()
  while (words.size < WORDS) {
    const word = makeWord(random, 3)
    const kind = random()
    words.add(kind < 0.1 ? `${word} ${makeWord(random, 2)}` : kind < 0.2 ? `${word}*` : word)
  }
  return [...words]
}

const makeWord = (random: () => number, least: number): string =>
  Array.from(
    { length: least + Math.floor(random() * 3) },
    () => SYLLABLES[Math.floor(random() * SYLLABLES.length)],
  ).join('')

const policyOf = (spam: readonly string[]): Policy => {
  const { rules } = DEFAULT_POLICY
  return { rules: { ...rules, words: { mode: 'enforce', pending: [], spam, rejected: [] } } }
}

const makeComment = (words: readonly string[], random: () => number): string => {
  const pick = () => words[Math.floor(random() * words.length)]!.replace('*', '')
  const write = (): string => {
    const kind = random() * 100
    if (kind < SHARE.listed) return pick()
    if (kind < SHARE.listed + SHARE.disguised) return disguise(pick())
    if (kind < SHARE.listed + SHARE.disguised + SHARE.link)
      return `https://${makeWord(random, 2)}.example/`
    return makeWord(random, 1)
  }
  let text = ''
  while (text.length < CHARACTERS) text += `${write()}${random() < 0.1 ? '. ' : ' '}`
  return text.slice(0, CHARACTERS)
}

const disguise = (word: string): string => Array.from(word, (c) => LEET.get(c) ?? c).join('')
