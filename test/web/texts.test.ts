import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { SORTS } from '../../src/domain/comment/sort.ts'
import { FLAG_REASONS } from '../../src/domain/moderation/flag.ts'
import { REFUSALS } from '../../src/domain/refusal.ts'
import english from '../../web/embed/messages/en.json' with { type: 'json' }
import { createTexts, createTimes } from '../../web/embed/texts.ts'

const FOLDER = join(import.meta.dirname, '../../web/embed')
const SOURCES = globSync('**/*.{ts,tsx}', { cwd: FOLDER }).map((path) =>
  readFileSync(join(FOLDER, path), 'utf8'),
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

for (const path of globSync('messages/*.json', { cwd: FOLDER })) {
  const lang = basename(path, '.json')
  t.test(`the messages in ${lang} are complete`, async (t) => {
    const messages = JSON.parse(readFileSync(join(FOLDER, path), 'utf8')) as Record<string, string>
    t.same(keysOf(messages), keysOf(english))
    const { pluralCategories } = new Intl.PluralRules(lang).resolvedOptions()
    for (const key of PLURALS)
      for (const form of pluralCategories) t.ok(`${key}.${form}` in messages, `${key}.${form}`)
    const known = new Map(Object.entries(english).map(([key, text]) => [baseOf(key), text]))
    const wrong = Object.entries(messages).filter(([key, sentence]) => {
      const places = placesOf(known.get(baseOf(key))!)
      // A form for one or two things can leave the number out.
      return (
        placesOf(sentence).some((place) => !places.includes(place)) ||
        places.some((place) => place !== '{n}' && !sentence.includes(place))
      )
    })
    t.same(wrong, [])
    t.same(
      Object.entries(messages).filter(([, sentence]) => sentence.trim() === ''),
      [],
    )
  })
}

t.test('every code of the service has a sentence, and every sentence is used', async (t) => {
  const keys = keysOf(english)
  for (const code of Object.keys(REFUSALS)) t.ok(keys.includes(`error.${code}`), code)
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
})

t.test('createTexts chooses the plural form and writes numbers as the language does', async (t) => {
  const english = createTexts('en', undefined)
  t.equal(english('count', { n: 1 }), '1 Comment')
  t.equal(english('count', { n: 1200 }), '1,200 Comments')
  t.equal(english('reply_to', { name: '{n} $& <b>' }), 'reply to {n} $& <b>')
  const german = createTexts('de', {
    'count.one': '{n} Kommentar',
    'count.other': '{n} Kommentare',
  })
  t.equal(german('count', { n: 1200 }), '1.200 Kommentare')
  t.equal(german('posted'), 'Posted.', 'a sentence that is missing is English')
  t.equal(createTexts('en', undefined, { post: 'Publish' })('post'), 'Publish')
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
