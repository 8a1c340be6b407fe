import type { Judged } from './judge-file.ts'

/** Counts of right and wrong verdicts. */
export type Score = {
  readonly name: string
  readonly flagged: number
  readonly right: number
  readonly spam: number
}

/** Rules about the author hold nearly every comment of a page where nearly every author is new. */
const BY_AUTHOR = new Set(['first_comments'])

/** Scores of each rule with a finding, of all rules, and of all rules that do not look at the author. */
export const scoreAll = (judged: readonly Judged[]): Score[] => {
  const rules = [...new Set(judged.flatMap(({ judgement }) => rulesIn(judgement)))]
  const score = (name: string, isFlagged: (one: Judged) => boolean): Score => {
    const flagged = judged.filter(isFlagged)
    const right = flagged.filter(({ isSpam }) => isSpam).length
    return {
      name,
      flagged: flagged.length,
      right,
      spam: judged.filter(({ isSpam }) => isSpam).length,
    }
  }
  return [
    ...rules
      .sort()
      .map((rule) => score(`\`${rule}\``, ({ judgement }) => rulesIn(judgement).includes(rule))),
    score('all but `first_comments`', ({ judgement }) =>
      rulesIn(judgement).some((rule) => !BY_AUTHOR.has(rule)),
    ),
    score('all', ({ judgement }) => judgement.verdict !== 'approved'),
  ]
}

const rulesIn = ({ trace }: Judged['judgement']): string[] =>
  trace.filter(({ says }) => says !== 'approved').map(({ rule }) => rule)

export const toMarkdown = (scores: readonly Score[]): string =>
  [
    '| rule | flagged | spam among them | precision | recall | F1 |',
    '|---|--:|--:|--:|--:|--:|',
    ...scores.map(({ name, flagged, right, spam }) => {
      const [precision, recall] = [right / Math.max(1, flagged), right / Math.max(1, spam)]
      const f1 = (2 * precision * recall) / Math.max(Number.EPSILON, precision + recall)
      const figures = [precision, recall, f1].map((figure) => figure.toFixed(2))
      return `| ${name} | ${flagged} | ${right} | ${figures.join(' | ')} |`
    }),
  ].join('\n')
