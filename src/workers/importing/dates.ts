import { type Instant, instantOf } from '../../domain/instant.ts'

const FORM =
  /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?))?\s*(Z|UTC|[+-]\d\d:?\d\d)?$/i
const EARLIEST = Date.UTC(1990, 0, 1)
const LATEST = Date.UTC(2100, 0, 1)

/**
 * The time that a text names, or null if it names none between 1990 and 2100. A time without a zone is UTC.
 */
export const instantOfText = (text: string): Instant | null => {
  const found = FORM.exec(text.trim())
  if (!found) return null
  const [, day, time = '00:00:00', zone = 'Z'] = found
  const seconds = time.length === 5 ? `${time}:00` : time.replace(',', '.')
  const offset = /^(z|utc)$/i.test(zone) ? 'Z' : zone.replace(/^(...)(\d\d)$/, '$1:$2')
  return instantOfNumber(Date.parse(`${day}T${seconds.slice(0, 12)}${offset}`))
}

/** The time at so many milliseconds since 1970, or null if it is not between 1990 and 2100. */
export const instantOfNumber = (milliseconds: number): Instant | null =>
  milliseconds >= EARLIEST && milliseconds < LATEST ? instantOf(milliseconds) : null
