import { siteAddress } from './addresses.ts'
import { now as timeOfService } from './clock.ts'
import english from './messages/en.json' with { type: 'json' }
import { type Host, type Messages, type Place, toLanguage } from './view.ts'
import type { Config } from './wire.ts'

export type Values = Readonly<Record<string, string | number>>

/** Says a sentence of the interface: `t('more', { n: 4 })` chooses the plural form by `n`. */
export type Texts = (key: string, values?: Values) => string

const ENGLISH: Record<string, string> = { ...english }

/** Each script of the widget brings the English sentences that it says itself. */
export const learnEnglish = (messages: Messages): void => {
  Object.assign(ENGLISH, messages)
}

/** Languages that are written from right to left, also those that only a page brings. */
const FROM_RIGHT = /^(ar|ckb|dv|fa|he|ps|sd|ug|ur|yi)\b/

export type Language = {
  /** The language of the page or of the site, whose readers write in it. */
  readonly wanted: string
  /** The language of the sentences: that of the tag, or English if the tag has no sentences in its language. */
  readonly lang: string
  /** Undefined where the page gives the tag a direction itself. */
  readonly dir: 'ltr' | 'rtl' | undefined
  readonly t: Texts
  readonly times: Times
}

/**
 * Finds the language of a tag: that of the page, or else that of the site, or else English.
 * @param loaded the sentences that are on their way
 */
export const openLanguage = async (
  host: Host,
  place: Place,
  loaded = place.loadMessages(place.lang),
  readConfig = (): Promise<Config> =>
    readJson(place, `${siteAddress(place.service, place.site)}/config`),
): Promise<Language> => {
  const own = host.messages ?? host.getAttribute('messages')
  const reads = typeof own === 'string' ? readJson<Messages>(place, own) : Promise.resolve(own)
  const lang = place.lang || toLanguage((await readConfig().catch(() => null))?.language) || 'en'
  const messages = lang === place.lang ? loaded : place.loadMessages(lang)
  const [given, known] = await Promise.all([
    reads.catch((error): undefined => console.error('afterword:', error) as undefined),
    messages.catch(() => undefined),
  ])
  return createLanguage(host, lang, known, given)
}

const readJson = async <T>({ fetch: ask }: Place, address: string): Promise<T> => {
  const answer = await ask(address)
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`)
  return answer.json()
}

/**
 * @param messages the sentences of the widget in the language of the tag
 * @param own the sentences of the page
 */
export const createLanguage = (
  host: Host,
  wanted: string,
  messages: Messages | undefined,
  own?: Messages | null,
): Language => {
  const lang = messages || own ? wanted : wanted.startsWith('en') ? wanted : 'en'
  const isGiven = host.closest('[dir], [lang]')?.hasAttribute('dir')
  return {
    wanted,
    lang,
    dir: isGiven ? undefined : FROM_RIGHT.test(lang) ? 'rtl' : 'ltr',
    t: createTexts(lang, { ...messages, ...own }),
    times: createTimes(lang),
  }
}

/** A sentence that is missing is English. */
export const createTexts = (lang: string, messages: Messages = {}): Texts => {
  const plurals = new Intl.PluralRules(lang)
  const numbers = new Intl.NumberFormat(lang)
  return (key, values = {}) => {
    const { n } = values
    const form = typeof n === 'number' ? `${key}.${plurals.select(n)}` : key
    const find = (all: Messages) => all[form] ?? all[`${key}.other`] ?? all[key]
    const sentence = find(messages) ?? find(ENGLISH) ?? key
    return `${sentence}`.replace(/\{(\w+)\}/g, (place, name: string) => {
      const value = values[name]
      return typeof value === 'number' ? numbers.format(value) : (value ?? place)
    })
  }
}

const UNITS = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const
const MAX_RELATIVE_SECONDS = 2_592_000

/** Writes times as a reader says them. */
export const createTimes = (lang: string) => {
  const relative = new Intl.RelativeTimeFormat(lang, { numeric: 'auto' })
  const date = new Intl.DateTimeFormat(lang, { dateStyle: 'long' })
  const full = new Intl.DateTimeFormat(lang, { dateStyle: 'long', timeStyle: 'short' })
  return {
    full: (time: string): string => full.format(new Date(time)),
    date: (time: string): string => date.format(new Date(time)),
    /** “3 hours ago”; a date after a month. */
    ago: (time: string, now = timeOfService()): string => {
      const seconds = Math.max(0, (now - Date.parse(time)) / 1000)
      if (seconds > MAX_RELATIVE_SECONDS) return date.format(new Date(time))
      const [unit, length] = UNITS.find(([, size]) => seconds >= size) ?? ['second', 1]
      return relative.format(-Math.floor(unit === 'second' ? 0 : seconds / length), unit)
    },
    /** “4 minutes”. */
    span: (seconds: number): string => {
      const [unit, length] = UNITS.find(([, size]) => seconds >= size * 2) ?? ['second', 1]
      const style = { style: 'unit', unit, unitDisplay: 'long' } as const
      return new Intl.NumberFormat(lang, style).format(Math.max(0, Math.ceil(seconds / length)))
    },
  }
}
export type Times = ReturnType<typeof createTimes>
