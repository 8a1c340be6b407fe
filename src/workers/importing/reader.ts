import type { ImportRecord } from '../../domain/importing/records.ts'

/** Reads the text of a file piece by piece. It hands over records as soon as it knows them. */
export type TextReader = {
  readonly write: (text: string) => void
  readonly end: () => void
  /** Hands over the records that had to wait for the end of the file. Each step gives a few. */
  readonly drain?: () => Iterable<void>
  /** Frees what the reader keeps on disk. */
  readonly close?: () => void
}

export type Emit = (record: ImportRecord) => void

/** Hands over the origin once, before the first comment. */
export const createOrigin = (emit: Emit): ((origin: string) => void) => {
  let isSaid = false
  return (origin) => {
    if (!isSaid) emit({ kind: 'origin', origin })
    isSaid = true
  }
}
