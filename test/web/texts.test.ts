import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { SORTS } from '../../src/domain/comment/sort.ts'
import { FLAG_REASONS } from '../../src/domain/moderation/flag.ts'
import { REFUSALS } from '../../src/domain/refusal.ts'
import { learnTime, now as timeOfService } from '../../web/embed/clock.ts'
import english from '../../web/embed/messages/en.json' with { type: 'json' }
import { createLanguage, createTexts, createTimes } from '../../web/embed/texts.ts'
import { type Host, type Messages, toLanguage } from '../../web/embed/view.ts'

const FOLDER = join(import.meta.dirname, '../../web/embed')
/** The pages without JavaScript have the same sentences. */
const SOURCES = [FOLDER, join(FOLDER, '../../src/http/comments-html')].flatMap((cwd) =>
  globSync('**/*.{ts,tsx}', { cwd }).map((path) => readFileSync(join(cwd, path), 'utf8')),
)
/** The keys whose sentence depends on a number: English has one form for 1, and one for the others. */
const PLURALS = Object.keys(english).flatMap((key) =>
  key.endsWith('.one') ? key.slice(0, -4) : [],
)

const baseOf = (key: string): string => {
  const base = key.replace(/\.(zero|one|two|few|many|other)$/, '')
  return PLURALS.includes(base) ? base : key
}

const keysOf = (messages: object): string[] =>
  [...new Set(Object.keys(messages).map(baseOf))].sort()

const placesOf = (sentence: string): string[] => [...new Set(sentence.match(/\{\w+\}/g))].sort()

/** The sentences that a language has in common with English, because it has taken the word. */
const SAME: Readonly<Record<string, readonly string[]>> = {
  de: ['name', 'reason.spam'],
  es: ['reason.spam'],
  fr: ['reason.spam', 'score.one', 'score.other'],
  it: ['reason.spam'],
  nl: ['moderators', 'reason.spam', 'role.moderator'],
  pl: ['reason.spam', 'role.moderator'],
  pt: ['reason.spam'],
}

/** A sentence can leave its number out if its form is for one number only. A score can also be less than 0. */
const mayOmitNumber = (lang: string, key: string): boolean => {
  const rules = new Intl.PluralRules(lang)
  const numbers = Array.from({ length: 1000 }, (_, n) => n)
  const form = key.split('.').at(-1)
  return !key.startsWith('score.') && numbers.filter((n) => rules.select(n) === form).length === 1
}

const LANGUAGES = globSync('messages/*.json', { cwd: FOLDER }).sort()

t.test('the widget speaks sixteen languages', async (t) => {
  const spoken = 'ar de en es fr he hi it ja nl pl pt ru tr uk zh'
  t.equal(LANGUAGES.map((path) => basename(path, '.json')).join(' '), spoken)
})

for (const path of LANGUAGES) {
  const lang = basename(path, '.json')
  t.test(`the messages in ${lang} are complete`, async (t) => {
    const messages = JSON.parse(readFileSync(join(FOLDER, path), 'utf8')) as Record<string, string>
    t.same(keysOf(messages), keysOf(english))
    const { pluralCategories } = new Intl.PluralRules(lang).resolvedOptions()
    for (const key of PLURALS)
      t.same(
        Object.keys(messages).filter((each) => each !== key && baseOf(each) === key),
        ['zero', 'one', 'two', 'few', 'many', 'other']
          .filter((form) => pluralCategories.includes(form as Intl.LDMLPluralRule))
          .map((form) => `${key}.${form}`),
      )
    const known = new Map(Object.entries(english).map(([key, text]) => [baseOf(key), text]))
    const wrong = Object.entries(messages).filter(([key, sentence]) => {
      const places = placesOf(known.get(baseOf(key))!)
      const needed = mayOmitNumber(lang, key) ? places.filter((place) => place !== '{n}') : places
      return (
        placesOf(sentence).some((place) => !places.includes(place)) ||
        needed.some((place) => !sentence.includes(place))
      )
    })
    t.same(wrong, [])
    t.same(
      Object.entries(messages).filter(([, sentence]) => sentence.trim() !== sentence || !sentence),
      [],
    )
    const same = Object.entries(messages).filter(
      ([key, sentence]) => (english as Record<string, string>)[key] === sentence,
    )
    if (lang !== 'en') t.same(same.map(([key]) => key).sort(), SAME[lang] ?? [])
  })
}

/** Codes of operations that the widget does not call. */
const OF_ADMINISTRATORS = ['article_has_comments', 'alias_taken', 'email_not_verified']

t.test(
  'every code that the widget can get has a sentence, and every sentence is used',
  async (t) => {
    const keys = keysOf(english)
    const codes = Object.keys(REFUSALS).filter((code) => !OF_ADMINISTRATORS.includes(code))
    for (const code of codes) t.ok(keys.includes(`error.${code}`), code)
    for (const reason of FLAG_REASONS) t.ok(keys.includes(`reason.${reason}`), reason)
    for (const sort of SORTS) t.ok(keys.includes(`sort.${sort}`), sort)
    const all = SOURCES.join('\n')
    const families = [...all.matchAll(/`([a-z_]+[._])\$\{/g)].map(([, family]) => family!)
    const isUsed = (key: string) =>
      all.includes(`'${key}'`) || families.some((family) => key.startsWith(family))
    t.same(
      keys.filter((key) => !isUsed(key)),
      [],
    )
    const used = [...all.matchAll(/\bt\('([\w.]+)'/g)].map(([, key]) => key!)
    t.same(
      used.filter((key) => !keys.includes(key)),
      [],
    )
  },
)

t.test('createTexts chooses the plural form and writes numbers as the language does', async (t) => {
  const english = createTexts('en')
  t.equal(english('count', { n: 1 }), '1 Comment')
  t.equal(english('count', { n: 1200 }), '1,200 Comments')
  t.equal(english('reply_to', { name: '{n} $& <b>' }), 'reply to {n} $& <b>')
  const german = createTexts('de', {
    'count.one': '{n} Kommentar',
    'count.other': '{n} Kommentare',
  })
  t.equal(german('count', { n: 1200 }), '1.200 Kommentare')
  t.equal(german('posted'), 'Posted.', 'a sentence that is missing is English')
  t.equal(createTexts('en', { post: 'Publish' })('post'), 'Publish')
})

/** A tag of the page, as far as its language goes. */
const tag = (attributes: readonly string[] = []) =>
  ({
    closest: () => ({ hasAttribute: (name: string) => attributes.includes(name) }),
  }) as unknown as Host

t.test('createLanguage speaks as the page does, or English', async (t) => {
  const of = (host: Host, wanted: string, loaded?: Messages, own?: Messages) => {
    const { lang, dir, t: say } = createLanguage(host, wanted, loaded, own)
    return [lang, dir, say('count', { n: 3 })]
  }
  const polish = { 'count.few': '{n} komentarze', 'count.other': '{n} komentarza' }
  t.same(of(tag(), 'pl-PL', polish), ['pl-PL', 'ltr', '3 komentarze'])
  t.same(
    of(tag(), 'pl', undefined, polish),
    ['pl', 'ltr', '3 komentarze'],
    'a language that the page brings',
  )
  t.same(of(tag(), 'fi'), ['en', 'ltr', '3 Comments'], 'a language that the widget does not speak')
  t.same(of(tag(), 'en-GB'), ['en-GB', 'ltr', '3 Comments'])
  const farsi = { 'count.other': '{n} نظر' }
  t.same(of(tag(), 'fa', undefined, farsi), ['fa', 'rtl', '۳ نظر'])
  t.same(
    of(tag(['dir', 'lang']), 'fa', undefined, farsi),
    ['fa', undefined, '۳ نظر'],
    'the page decides',
  )
})

t.test('toLanguage understands what pages write, and leaves out what is no language', async (t) => {
  t.equal(toLanguage('pt_BR'), 'pt-BR')
  t.equal(toLanguage('DE-at'), 'de-AT')
  for (const name of [undefined, '', 'x', 'german language', 'de-', '<b>', 'e'])
    t.equal(toLanguage(name), '', name)
})

t.test('createTimes says how long ago and how long still', async (t) => {
  const times = createTimes('en')
  const now = Date.parse('2026-11-29T12:00:00Z')
  t.equal(times.ago('2026-11-29T11:59:30Z', now), 'now')
  t.equal(times.ago('2026-11-29T09:00:00Z', now), '3 hours ago')
  t.equal(times.ago('2026-11-28T11:00:00Z', now), 'yesterday')
  t.equal(times.ago('2012-04-05T11:00:00Z', now), 'April 5, 2012')
  t.equal(times.ago('2026-11-29T12:00:40Z', now), 'now', 'a clock that is behind')
  t.equal(times.span(90), '90 seconds')
  t.equal(times.span(3_000), '50 minutes')
})

t.test('the widget shows ages by the clock of the service, whatever the device says', async (t) => {
  const aYearAhead = new Date(Date.now() + 31_536_000_000)
  learnTime(aYearAhead.toUTCString())
  const times = createTimes('en')
  t.equal(times.ago(aYearAhead.toISOString()), 'now')
  const before = timeOfService()
  for (const written of [null, undefined, 'x', new Date(0).toUTCString()]) learnTime(written)
  t.ok(timeOfService() >= before, 'a stored answer with an earlier time changes nothing')
})
