/** A bound that a figure is held against. */
export type Goal = { readonly is: '>=' | '<='; readonly bound: number }

export const atLeast = (bound: number): Goal => ({ is: '>=', bound })
export const atMost = (bound: number): Goal => ({ is: '<=', bound })

export const sayGoal = (goal: Goal | undefined): string => (goal ? `${goal.is} ${goal.bound}` : '')

/** Null without a goal. A value that could not be measured misses the goal. */
export const isHeld = (value: number | null, goal: Goal | undefined): boolean | null => {
  if (!goal) return null
  if (value === null) return false
  return goal.is === '>=' ? value >= goal.bound : value <= goal.bound
}

/**
 * The quantile `share` of the values, interpolated between neighbours. NaN for no values.
 */
export const quantile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const at = share * (sorted.length - 1)
  const below = sorted[Math.floor(at)] ?? Number.NaN
  const above = sorted[Math.ceil(at)] ?? Number.NaN
  return below + (above - below) * (at - Math.floor(at))
}

export const median = (values: readonly number[]): number => quantile(values, 0.5)

/** The middle of several measurements, with the least and the greatest of them. */
export type Spread = { readonly value: number; readonly low: number; readonly high: number }

export const spreadOf = (values: readonly number[]): Spread => ({
  value: median(values),
  low: Math.min(...values),
  high: Math.max(...values),
})

/** One pair is one round: the measured value and its reference, taken moments apart. */
export const ratioOf = (pairs: readonly (readonly [number, number])[]): Spread =>
  spreadOf(pairs.map(([measured, against]) => measured / against))

/** Least squares: by how much `y` grows for each `x`. */
export const slopeOf = (points: readonly (readonly [x: number, y: number])[]): number => {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const x = mean(points.map(([px]) => px))
  const y = mean(points.map(([, py]) => py))
  const covariance = mean(points.map(([px, py]) => (px - x) * (py - y)))
  return covariance / mean(points.map(([px]) => (px - x) ** 2))
}

/** Three digits that count: 0.123, 1.23, 123, 12345. */
export const say = (value: number): string =>
  Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)))
