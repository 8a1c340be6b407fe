import type { Run } from './blocks.ts'

/** The last run of a paragraph that is not white space alone. */
export const lastShown = (runs: readonly Run[]): Run | undefined =>
  runs.findLast(({ text }) => text === '\n' || text.trim() !== '')

/** Leaves out white space at the ends of lines, and line breaks at the ends of the paragraph. */
export const trimRuns = (runs: readonly Run[]): Run[] => {
  const kept: Run[] = []
  const trimEnd = (): void => {
    while (kept.length > 0 && kept.at(-1)!.text !== '\n') {
      const last = kept.at(-1)!
      last.text = last.text.trimEnd()
      if (last.text !== '') return
      kept.pop()
    }
  }
  for (const run of runs) {
    const isAtStart = kept.length === 0 || kept.at(-1)!.text === '\n'
    if (run.text === '\n') {
      trimEnd()
      if (kept.length > 0 && kept.at(-1)!.text !== '\n') kept.push(run)
      continue
    }
    const text = isAtStart ? run.text.trimStart() : run.text
    if (text !== '') kept.push({ ...run, text })
  }
  trimEnd()
  while (kept.at(-1)?.text === '\n') {
    kept.pop()
    trimEnd()
  }
  return kept
}
