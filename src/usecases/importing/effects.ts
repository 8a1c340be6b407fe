import type { Counting, Counts } from './counting.ts'
import type { Known } from './known.ts'

/** The counts of one transaction. It counts only after the commit, because a transaction can run twice. */
export type Effects = {
  readonly count: (name: keyof Counts, by?: number) => void
  readonly skip: (reason: string, comments?: number) => void
  readonly orphan: (id: string, reason: 'missing' | 'cycle') => void
  readonly keep: (id: string, what: 'status' | 'text') => void
  readonly countThread: (number: number, as: 'threadsCreated' | 'threadsMatched') => void
  readonly countAuthor: (
    number: number,
    as: 'authorsCreated' | 'authorsMatched',
    authorId: number,
  ) => void
  /** Happens to what is known of the file after the commit. */
  readonly afterCommit: (act: (known: Known) => void) => void
  /** Threads in which readers see a difference. */
  readonly touchedThreads: Set<number>
  readonly applyTo: (counting: Counting, known: Known) => void
}

export const createEffects = (): Effects => {
  const acts: ((counting: Counting, known: Known) => void)[] = []
  return {
    count: (name, by = 1) => acts.push((counting) => counting.add({ [name]: by })),
    skip: (reason, comments = 1) => acts.push((counting) => counting.addSkipped(reason, comments)),
    orphan: (id, reason) => acts.push((counting) => counting.addOrphan(id, reason)),
    keep: (id, what) => acts.push((counting) => counting.addKept(id, what)),
    countThread: (number, as) =>
      acts.push((counting, { countedThreads }) => {
        if (countedThreads.get(number) === 0) counting.add({ [as]: 1 })
        countedThreads.set(number, 1)
      }),
    countAuthor: (number, as, authorId) =>
      acts.push((counting, { countedAuthors, authors }) => {
        if (countedAuthors.get(number) === 0) counting.add({ [as]: 1 })
        countedAuthors.set(number, 1)
        authors.set(number, authorId)
      }),
    afterCommit: (act) => acts.push((_, known) => act(known)),
    touchedThreads: new Set(),
    applyTo: (counting, known) => {
      for (const act of acts) act(counting, known)
    },
  }
}
