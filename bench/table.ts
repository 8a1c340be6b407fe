import { isHeld, say, sayGoal } from './figures.ts'
import type { Figure, Line, Measured } from './row.ts'

const HELD = new Map([
  [true, 'yes'],
  [false, '**no**'],
])

const figureOf = ({ value, unit = '' }: Figure): string =>
  value === null ? '–' : `${say(value)}${unit && ` ${unit}`}`

const spreadOf = ({ low, high }: Figure): string =>
  low === undefined || high === undefined ? '' : `${say(low)}–${say(high)}`

const heldOf = ({ line, figure }: Measured): boolean | null => {
  if (figure.holds !== undefined) return figure.holds
  return isHeld(figure.value, line.goal)
}

const goalOf = ({ goal }: Line, { unit }: Figure): string =>
  goal ? `${sayGoal(goal)}${unit ? ` ${unit}` : ''}` : ''

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ').trim()

/** Formats two tables: the figures, and the command of each figure. */
export const toMarkdown = (measured: readonly Measured[]): string => {
  const figures = measured.map((one) => {
    const { line, figure } = one
    const held = HELD.get(heldOf(one) as boolean) ?? ''
    return [line.row, line.against, figureOf(figure), spreadOf(figure), goalOf(line, figure), held]
  })
  const commands = measured.map(({ line, figure }) => [
    line.row,
    `\`${figure.command.replaceAll('`', "'")}\``,
    figure.note,
  ])
  return [
    table(['row', 'against', 'figure', 'least–most', 'goal', 'holds'], figures),
    table(['row', 'what was run', 'beside it'], commands),
  ].join('\n\n')
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n')

/** Formats one line for the progress output. */
export const toText = (one: Measured): string => {
  const { line, figure } = one
  const held = heldOf(one)
  const verdict = held === null ? '' : held ? '  holds' : '  DOES NOT HOLD'
  const spread = spreadOf(figure) && ` (${spreadOf(figure)})`
  const goal = line.goal ? `  goal ${goalOf(line, figure)}` : ''
  const against = line.against && `\n    against ${line.against}`
  return `${line.row}: ${figureOf(figure)}${spread}${goal}${verdict}${against}\n    ${figure.command}\n    ${figure.note}`
}

/** The output of `--json`. */
export const toJson = (measured: readonly Measured[]) =>
  measured.map((one) => ({
    row: one.line.row,
    value: one.figure.value,
    goal: sayGoal(one.line.goal),
    holds: heldOf(one),
  }))
