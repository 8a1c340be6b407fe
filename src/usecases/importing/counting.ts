import type { ImportReport, Listed } from '../../domain/importing/import.ts'
import type { StagedSummary } from '../../workers/importing/reader-protocol.ts'

/** Of a list in a report, this many are named. */
const MAX_LISTED = 1_000

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** Counts while an import runs. */
export type Counting = {
  readonly addSkipped: (reason: string, count?: number) => void
  readonly addOrphan: (id: string, reason: 'missing' | 'cycle') => void
  readonly addKept: (id: string, what: 'status' | 'text') => void
  readonly add: (counted: Partial<Counts>) => void
  readonly report: () => ImportReport
}

export type Counts = {
  created: number
  updated: number
  unchanged: number
  cut: number
  threadsCreated: number
  threadsMatched: number
  authorsCreated: number
  authorsMatched: number
}

export const createCounting = (
  { format, origin, comments, duplicates, duplicateIds, ...summary }: StagedSummary,
  readBytes: number,
): Counting => {
  const skipped: Record<string, number> = { ...summary.skipped }
  const orphans = createList<{ id: string; reason: 'missing' | 'cycle' }>()
  const kept = createList<{ id: string; what: 'status' | 'text' }>()
  const counts: Counts = {
    created: 0,
    updated: 0,
    unchanged: 0,
    cut: 0,
    threadsCreated: 0,
    threadsMatched: 0,
    authorsCreated: 0,
    authorsMatched: 0,
  }
  const skippedInFile = Object.values(skipped).reduce((sum, n) => sum + n, 0)
  const total = comments + duplicates + skippedInFile
  if (duplicates > 0) skipped.duplicate = duplicates
  return {
    addSkipped: (reason, count = 1) => {
      skipped[reason] = (skipped[reason] ?? 0) + count
    },
    addOrphan: (id, reason) => orphans.add({ id, reason }),
    addKept: (id, what) => kept.add({ id, what }),
    add: (counted) => {
      for (const [name, count] of Object.entries(counted)) counts[name as keyof Counts] += count
    },
    report: () => ({
      format,
      origin,
      readBytes,
      comments: {
        total,
        created: counts.created,
        updated: counts.updated,
        unchanged: counts.unchanged,
        skipped: { ...skipped },
      },
      threads: { created: counts.threadsCreated, matched: counts.threadsMatched },
      authors: { created: counts.authorsCreated, matched: counts.authorsMatched },
      orphans: orphans.list(),
      cut: counts.cut,
      duplicates: { total: duplicates, items: duplicateIds.map((id) => ({ id })) },
      repairs: {
        total: summary.repairs,
        items: summary.firstRepairs.map(({ what, line, column }) => ({ what, line, column })),
      },
      keptHere: kept.list(),
    }),
  }
}

const createList = <T>() => {
  const list: Writable<Listed<T>> & { items: T[] } = { total: 0, items: [] }
  return {
    add: (item: T): void => {
      list.total += 1
      if (list.items.length < MAX_LISTED) list.items.push(item)
    },
    list: (): Listed<T> => ({ total: list.total, items: [...list.items] }),
  }
}
