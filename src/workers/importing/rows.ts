import { isIP } from 'node:net'
import type { Instant } from '../../domain/instant.ts'
import { instantOfNumber, instantOfText } from './dates.ts'

/** An object of a JSON file or a row of a table, whose fields may have any type. */
export type Row = Readonly<Record<string, unknown>>

export const rowOf = (value: unknown): Row =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Row) : {}

/** The first of the fields that has a text. Numbers and the ids of MongoDB count as texts. */
export const textIn = (row: Row, ...names: readonly string[]): string => {
  for (const name of names) {
    const text = textOf(row[name]).trim()
    if (text !== '') return text
  }
  return ''
}

const textOf = (value: unknown): string => {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  const { $oid: id } = rowOf(value)
  return typeof id === 'string' ? id : ''
}

/** A text that is not trimmed, such as that of a comment. */
export const bodyIn = (row: Row, name: string): string => {
  const value = row[name]
  return typeof value === 'string' ? value : ''
}

/** Null if the field is empty. Some systems write the words `undefined` and `null`. */
export const textOrNull = (row: Row, ...names: readonly string[]): string | null => {
  const text = textIn(row, ...names)
  return text === '' || text === 'undefined' || text === 'null' ? null : text
}

/** A count: a whole number from 0, or 0 if the field has none. */
export const countIn = (row: Row, name: string): number => {
  const value = Number(textIn(row, name))
  return Number.isFinite(value) ? Math.max(0, Math.trunc(value)) : 0
}

export const flagIn = (row: Row, name: string): boolean => {
  const value = row[name]
  return value === true || value === 1 || value === 1n || value === 'true' || value === '1'
}

/** The first of the fields that has a time: as a text, in milliseconds, or as MongoDB and LeanCloud write it. */
export const instantIn = (row: Row, ...names: readonly string[]): Instant | null => {
  for (const name of names) {
    const instant = instantOfValue(row[name])
    if (instant !== null) return instant
  }
  return null
}

const instantOfValue = (value: unknown): Instant | null => {
  if (typeof value === 'number') return instantOfNumber(value)
  if (typeof value === 'bigint') return instantOfNumber(Number(value))
  if (typeof value === 'string')
    return /^\d{12,14}$/.test(value) ? instantOfNumber(Number(value)) : instantOfText(value)
  const { iso, $date: date, $numberLong: long } = rowOf(value)
  const inner = iso ?? date ?? long
  return inner === undefined ? null : instantOfValue(inner)
}

/** An IP address, or null: some systems write a hash or a placeholder instead. */
export const addressIn = (row: Row, name: string): string | null => {
  const text = textIn(row, name).replace(/^::ffff:(?=\d+\.)/i, '')
  return isIP(text) > 0 ? text : null
}

/** A score of one number as votes: only their difference is known. */
export const votesOfScore = (row: Row, name: string) => {
  const score = Math.trunc(Number(textIn(row, name))) || 0
  return { upvotes: Math.max(0, score), downvotes: Math.max(0, -score) }
}
