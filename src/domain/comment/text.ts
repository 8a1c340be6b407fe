import { withoutOddFormats } from './joiners.ts'

/** A validated value, or a problem that completes a sentence about the field: 'must be …'. */
export type Validated<T> = { ok: true; value: T } | { ok: false; problem: string }

export const MAX_BODY_CODE_POINTS = 10_000
/** 80 code points are at most 320 bytes of UTF-8. */
export const MAX_NAME_CODE_POINTS = 80
const MAX_TITLE_CODE_POINTS = 500
const MAX_URL_BYTES = 2_048
const MAX_EMAIL_BYTES = 254
const MAX_CLUSTER_CODE_POINTS = 16
/**
 * One composed code point replaces at most four decomposed ones, so a text longer than four times the
 * limit is too long in any form. The early check avoids normalising 64 KiB of stacked accents, which
 * takes quadratic time.
 * Source: UAX #15, maximum expansion factors.
 */
const MAX_COMPOSITION_FACTOR = 4

let segmenter: Intl.Segmenter | undefined

/** Splits a text into graphemes. The first call makes the segmenter, because its rules take 10 ms to load. */
export const graphemesOf = (text: string): Intl.Segments => {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' })
  return segmenter.segment(text)
}

const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}]/gu
/** Marks are visible only on a letter. U+2800 is the Braille pattern without dots. */
const ONLY_INVISIBLE = /^[\p{Default_Ignorable_Code_Point}\p{M}\p{White_Space}\u2800]*$/u
/** Direction controls would reverse the rest of the line on a page. */
const UNTITLED = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u
const CONTROL_OR_SPACE = /[\p{Cc}\p{White_Space}\ufeff]/u
const EMAIL_LOCAL_PART = /^[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~.-]{1,64}$/u
const EMAIL_LABEL = /^(?!-)[\p{L}\p{M}\p{N}-]{1,63}(?<!-)$/u
const WEB_PROTOCOLS = ['http:', 'https:']

/** Whether Postgres stores the string unchanged: well-formed UTF-16 without U+0000. */
export const isStorable = (s: string): boolean => s.isWellFormed() && !s.includes('\0')

/** Validates a comment's source: 1 to 10,000 code points, outer white space not counted. Kept as sent. */
export const validateBody = (s: string): Validated<string> => {
  if (!isStorable(s)) return refuse(NOT_STORABLE)
  if (!isWithin(s.trim(), MAX_BODY_CODE_POINTS)) return refuse(lengthRule(MAX_BODY_CODE_POINTS))
  return accept(s)
}

/** Validates the length of a comment on a site with bounds of its own. */
export const validateBodyLength = (
  s: string,
  { minBodyLength: min, maxBodyLength: max }: { minBodyLength: number; maxBodyLength: number },
): Validated<string> => (isWithin(s.trim(), max, min) ? accept(s) : refuse(lengthRule(max, min)))

/**
 * Validates an author's name: NFKC without outer white space, 1 to 80 code points.
 * Refuses control, direction and private-use characters, joiners that neither a script nor an emoji needs,
 * invisible names and stacked accents.
 */
export const validateName = (s: string): Validated<string> => {
  const name = normalize(s, 'NFKC', MAX_NAME_CODE_POINTS)
  if (!name.ok) return name
  if (name.value.search(CONTROLS) >= 0 || withoutOddFormats(name.value) !== name.value)
    return refuse('must not contain control, direction or needless zero-width characters')
  if (ONLY_INVISIBLE.test(name.value)) return refuse('must contain a visible character')
  if (hasHugeCluster(name.value)) return refuse('must not stack so many marks on one character')
  return name
}

/** The name of a member whose site sends none that readers could see. */
const NAMELESS = 'Member'

/**
 * Turns any text into a valid name: removes what `validateName` refuses and cuts what is too long. A valid
 * name changes only as `validateName` changes it.
 */
export const repairName = (s: string): string => {
  const valid = validateName(s)
  if (valid.ok) return valid.value
  // A longer text could take quadratic time to normalise.
  const start = Array.from(s.toWellFormed()).slice(0, MAX_NAME_CODE_POINTS * MAX_COMPOSITION_FACTOR)
  const plain = withoutOddFormats(start.join('').normalize('NFKC').replace(CONTROLS, ' ')).trim()
  const kept = Array.from(graphemesOf(plain), ({ segment }) =>
    Array.from(segment).slice(0, MAX_CLUSTER_CODE_POINTS).join(''),
  )
  const repaired = validateName(cut(kept, MAX_NAME_CODE_POINTS))
  return repaired.ok ? repaired.value : NAMELESS
}

/** Whole graphemes of at most `max` code points. */
const cut = (graphemes: readonly string[], max: number): string => {
  let name = ''
  for (const grapheme of graphemes) {
    if (codePoints(name) + codePoints(grapheme) > max) break
    name += grapheme
  }
  return name
}

/**
 * Validates a website: an absolute http(s) URL of at most 2,048 bytes without user name or password.
 * Returns the canonical form; a missing slash after the host stays missing.
 */
export const validateUrl = (s: string): Validated<string> => {
  if (!isStorable(s)) return refuse(NOT_STORABLE)
  if (Buffer.byteLength(s) > MAX_URL_BYTES) return refuse(URL_TOO_LONG)
  if (CONTROL_OR_SPACE.test(s)) return refuse('must not contain control characters or white space')
  const url = URL.parse(s)
  if (!url || !WEB_PROTOCOLS.includes(url.protocol))
    return refuse('must be a full http or https URL')
  if (url.username || url.password) return refuse('must not contain a user name or password')
  const href = quotable(url)
  if (href.length > MAX_URL_BYTES) return refuse(URL_TOO_LONG)
  return accept(s === href || `${s}/` === href ? s : href)
}

/** The text of a URL for an attribute between quotes of any kind: a URL leaves ' as it is where %27 means the same. */
export const quotable = ({ href }: URL): string => href.replaceAll("'", '%27')

/** Validates an e-mail address: local@host.tld, at most 254 bytes. Kept as sent. */
export const validateEmail = (s: string): Validated<string> => {
  if (!isStorable(s)) return refuse(NOT_STORABLE)
  if (Buffer.byteLength(s) > MAX_EMAIL_BYTES) return refuse('must be at most 254 bytes long')
  return isEmailShaped(s) ? accept(s) : refuse('must be an e-mail address')
}

/** Validates an article's title: NFC without outer white space, 1 to 500 code points on one line. */
export const validateTitle = (s: string): Validated<string> => {
  const title = normalize(s, 'NFC', MAX_TITLE_CODE_POINTS)
  if (!title.ok) return title
  if (UNTITLED.test(title.value)) {
    return refuse('must not contain control or direction characters, or line breaks')
  }
  return title
}

const NOT_STORABLE = 'must be well-formed text without null characters'
const URL_TOO_LONG = 'must be at most 2,048 bytes long'

const accept = (value: string): Validated<string> => ({ ok: true, value })
const refuse = (problem: string): Validated<string> => ({ ok: false, problem })

const lengthRule = (max: number, min = 1): string =>
  `must be ${min.toLocaleString('en')} to ${max.toLocaleString('en')} characters long, outer white space not counted`

const isWithin = (s: string, max: number, min = 1): boolean => {
  const count = codePoints(s)
  return count >= min && count <= max
}

const codePoints = (s: string): number => Array.from(s).length

/** Normalises a storable text and trims it. The result has 1 to `max` code points. */
const normalize = (s: string, form: 'NFC' | 'NFKC', max: number): Validated<string> => {
  if (!isStorable(s)) return refuse(NOT_STORABLE)
  const raw = s.trim()
  if (!isWithin(raw, max * MAX_COMPOSITION_FACTOR)) return refuse(lengthRule(max))
  const value = raw.normalize(form).trim()
  return isWithin(value, max) ? accept(value) : refuse(lengthRule(max))
}

const hasHugeCluster = (s: string): boolean =>
  Array.from(graphemesOf(s)).some(({ segment }) => codePoints(segment) > MAX_CLUSTER_CODE_POINTS)

const isEmailShaped = (s: string): boolean => {
  const at = s.lastIndexOf('@')
  const local = s.slice(0, at)
  const labels = s.slice(at + 1).split('.')
  return (
    at > 0 &&
    EMAIL_LOCAL_PART.test(local) &&
    local.split('.').every((atom) => atom !== '') &&
    labels.length >= 2 &&
    labels.every((label) => EMAIL_LABEL.test(label))
  )
}
