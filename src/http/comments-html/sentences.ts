import { LRUCache } from 'lru-cache'
import { type Messages, readMessages } from '../embed/widget.ts'

type Values = { readonly n?: number; readonly name?: string; readonly title?: string }

/** How a page speaks: the sentences are those of the widget, from the same files. */
export type Language = {
  readonly lang: string
  readonly dir: 'ltr' | 'rtl'
  /** Says a sentence; `n` chooses the plural form. */
  readonly t: (key: string, values?: Values) => string
  readonly time: (instant: string) => string
}

/** The languages of the sentences that are written from right to left. */
const FROM_RIGHT = /^(ar|he)\b/
const MAX_LANGUAGES = 200
const languages = new LRUCache<string, Language>({ max: MAX_LANGUAGES })
let messages: ReadonlyMap<string, Messages> | undefined

/**
 * The first wanted language that has sentences, or English. The header Accept-Language does not count: a page is one
 * entry of a shared cache, and the article that includes it has one language for all readers.
 */
export const languageOf = (...wanted: readonly unknown[]): Language => {
  messages ??= readMessages()
  for (const tag of wanted) {
    const [lang] = typeof tag === 'string' ? canonicalTags(tag) : []
    const sentences = lang === undefined ? undefined : messages.get(lang.split('-')[0]!)
    if (lang !== undefined && sentences) {
      const language = languages.get(lang) ?? createLanguage(lang, sentences)
      languages.set(lang, language)
      return language
    }
  }
  return languageOf('en')
}

const canonicalTags = (tag: string): readonly string[] => {
  try {
    return Intl.getCanonicalLocales(tag)
  } catch {
    return []
  }
}

const createLanguage = (lang: string, sentences: Messages): Language => {
  const plurals = new Intl.PluralRules(lang)
  const numbers = new Intl.NumberFormat(lang)
  const format = { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' } as const
  const times = new Intl.DateTimeFormat(lang, format)
  return {
    lang,
    dir: FROM_RIGHT.test(lang) ? 'rtl' : 'ltr',
    time: (instant) => `${times.format(new Date(instant))} UTC`,
    t: (key, { n, ...texts } = {}) => {
      const form = n === undefined ? key : `${key}.${plurals.select(n)}`
      const values: Record<string, string> =
        n === undefined ? texts : { ...texts, n: numbers.format(n) }
      return sentences[form]!.replace(/\{(\w+)\}/g, (_place, name: string) => values[name]!)
    },
  }
}
