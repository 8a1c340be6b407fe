/** How often each outcome occurred, by kind, such as the kind of a job. */
export type OutcomeCounts = {
  readonly add: (kind: string, outcome: string) => void
  readonly list: () => { readonly kind: string; readonly outcome: string; readonly count: number }[]
}

/** Kinds and outcomes must be few: each pair is kept until the process ends. */
export const createOutcomeCounts = (): OutcomeCounts => {
  const counts = new Map<string, { kind: string; outcome: string; count: number }>()
  return {
    add: (kind, outcome) => {
      const key = `${kind} ${outcome}`
      const found = counts.get(key)
      if (found) found.count += 1
      else counts.set(key, { kind, outcome, count: 1 })
    },
    list: () => [...counts.values()],
  }
}
