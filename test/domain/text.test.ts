import fc from 'fast-check'
import t from 'tap'
import {
  isStorable,
  repairName,
  type Validated,
  validateBody,
  validateEmail,
  validateName,
  validateTitle,
  validateUrl,
} from '../../src/domain/comment/text.ts'

type Check = (s: string) => Validated<string>

/** The value that a validator keeps, or undefined if it refuses the string. */
const kept = (check: Check, s: string): string | undefined => {
  const result = check(s)
  return result.ok ? result.value : undefined
}

/** A string as a test's title: TAP lines end at U+2028 as well. */
const shown = (s: string): string =>
  JSON.stringify(s.slice(0, 40)).replace(/[^ -~]/g, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`)

const anyText = fc.string({ unit: 'binary', maxLength: 200 })

t.test('a string is storable when Postgres can give it back unchanged', async (t) => {
  t.ok(isStorable(''))
  t.ok(isStorable('Grüße 👋🏽 \ufeff \u202e \ufffe'))
  t.notOk(isStorable('a\0b'), 'U+0000')
  t.notOk(isStorable('\ud83d'), 'half a pair')
  t.notOk(isStorable('\ude00\ud83d'), 'a pair the wrong way round')
})

t.test('no validator accepts a string that cannot be stored', async (t) => {
  for (const check of [validateBody, validateName, validateUrl, validateEmail, validateTitle]) {
    for (const s of ['a\0', 'https://a.example/\0', 'a@b.example\0', '\ud800', 'a\udfff']) {
      t.equal(kept(check, s), undefined, `${check.name} ${shown(s)}`)
    }
  }
})

t.test('every validation error completes a sentence about the field', async (t) => {
  const problems = [validateBody, validateName, validateUrl, validateEmail, validateTitle].flatMap(
    (check) => ['', '\0', 'a\nb', 'a@', '\u200b', 'x'.repeat(20_000)].map((s) => check(s)),
  )
  for (const result of problems) if (!result.ok) t.match(result.problem, /^must [^.]+$/)
})

t.test('a body is kept exactly as sent', async (t) => {
  for (const s of ['a', '  a\r\n\t', '\ufeffa\u3000', 'e\u0301', '\u202ea', '\r\ra', '\u200b']) {
    t.equal(kept(validateBody, s), s, shown(s))
  }
  fc.assert(fc.property(anyText, (s) => [undefined, s].includes(kept(validateBody, s))))
})

t.test('a body has 1 to 10,000 code points between its outer white space', async (t) => {
  for (const s of ['', ' ', '\r\n\t\u00a0\u3000', '😀'.repeat(10_001), 'a'.repeat(10_001)]) {
    t.equal(kept(validateBody, s), undefined, shown(s))
  }
  const longest = `\n${'😀'.repeat(10_000)}${' '.repeat(50)}`
  t.equal(kept(validateBody, longest), longest)
})

t.test('a name is kept in NFKC without outer white space', async (t) => {
  const names = {
    ' Ada\t': 'Ada',
    'Zoe\u0308': 'Zoë',
    ＡＤＡ: 'ADA',
    'Ada\u00a0L.': 'Ada L.',
    ﬁona: 'fiona',
    村上: '村上',
    'عمر الخيام': 'عمر الخيام',
    '👋🏽': '👋🏽',
    "O'Brien <b>": "O'Brien <b>",
  }
  for (const [sent, name] of Object.entries(names)) t.equal(kept(validateName, sent), name)
})

t.test('a name holds no control, direction, zero-width or private characters', async (t) => {
  const refused = '\u0001 \u007f \u0085 \n \r \t \u00ad \u200b \u200d \u200e \u202a \u202e \u2066'
  const more = '\u2069 \u2028 \u2029 \ufeff \u061c \ue000 \u{e0041} \u{f0000}'
  for (const c of `${refused} ${more}`.split(' ')) {
    t.equal(kept(validateName, `A${c}a`), undefined, shown(c))
  }
})

t.test('a name keeps joiners where its script or an emoji needs them', async (t) => {
  const names = {
    Persian: 'می\u200cخواهم',
    'Persian with a vowel sign': 'بَ\u200cه',
    Sinhala: 'ශ්\u200dරී',
    Devanagari: 'क्\u200cष',
    Malayalam: 'ന്\u200d',
    Bengali: 'র\u200d্যাচেল',
    'a family': 'Ada 👨\u200d👩\u200d👧',
    'a couple with variations': '👩🏽\u200d❤\ufe0f\u200d👨🏿',
    'the flag of Scotland': '🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}',
  }
  for (const [what, name] of Object.entries(names)) t.equal(kept(validateName, name), name, what)
})

t.test('a name has no joiner where nothing needs it', async (t) => {
  // The second line has a non-joiner after a letter that joins no letter, and two in a row.
  const refused = [
    ['A\u200cda', 'Ada\u200d', '\u200dAda', '1\u200d2', '👩\u200d', '\u200d👩', 'A\u200d👩'],
    ['د\u200cر', 'می\u200c\u200cخ', 'می\u200c', 'می\u200c a', 'ب\u200c1', 'ශ්\u200d\u200d'],
    ['🏴\u{e0067}\u{e007f}'],
  ].flat()
  for (const s of refused) t.equal(kept(validateName, s), undefined, shown(s))
})

t.test('repairName keeps a valid name and makes any other text a valid name', async (t) => {
  const unit = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 1 }),
    fc.constantFrom(
      '\u200c',
      '\u200d',
      '\u202e',
      '\0',
      '\ud800',
      ' ',
      'ب',
      '\u094d',
      'क',
      '👩',
      '\u0316',
    ),
  )
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 120 }), (units) => {
      const s = units.join('')
      const name = repairName(s)
      return kept(validateName, name) === name && name === (kept(validateName, s) ?? name)
    }),
  )
  t.equal(repairName(`a${'\u0316\u0301'.repeat(16_000)}`).length <= 80, true)
})

t.test('a name has a visible character', async (t) => {
  for (const s of ['', '   ', '\u3164', '\u115f\u1160', '\u2800', '\u034f', '\ufe0f', '\u0301']) {
    t.equal(kept(validateName, s), undefined, shown(s))
  }
})

t.test('a name is refused, never cut, above 80 code points', async (t) => {
  t.equal(kept(validateName, '😀'.repeat(80)), '😀'.repeat(80))
  t.equal(kept(validateName, '😀'.repeat(81)), undefined)
  t.equal(kept(validateName, '\ufdfa'.repeat(5)), undefined, 'one ligature is 18 letters in NFKC')
  const decomposed = '\u1f82'.repeat(80).normalize('NFD')
  t.equal(kept(validateName, decomposed), '\u1f82'.repeat(80), '320 code points that compose to 80')
})

t.test('a name has at most 16 code points in one grapheme', async (t) => {
  t.equal(kept(validateName, `x${'\u0335'.repeat(15)}`), `x${'\u0335'.repeat(15)}`)
  t.equal(kept(validateName, `x${'\u0335'.repeat(16)}`), undefined)
})

t.test('a name of 64 KiB of stacked accents is refused', async (t) => {
  const accents = `a${'\u0316\u0301'.repeat(16_000)}`
  t.equal(kept(validateName, accents), undefined)
  t.equal(kept(validateTitle, accents), undefined)
})

t.test('a kept name is kept again as it is', async () => {
  fc.assert(
    fc.property(anyText, (s) => {
      const name = kept(validateName, s)
      return name === undefined || kept(validateName, name) === name
    }),
  )
})

t.test('a canonical URL is kept as sent, any other in canonical form', async (t) => {
  const urls = {
    'https://example.com': 'https://example.com',
    'https://example.com/': 'https://example.com/',
    'http://example.com/a?b=c#d': 'http://example.com/a?b=c#d',
    'HTTPS://Example.COM': 'https://example.com/',
    'https://example.com:443/a/../b': 'https://example.com/b',
    'https://münchen.example': 'https://xn--mnchen-3ya.example/',
    'https://example.com/ü': 'https://example.com/%C3%BC',
    'https:\\\\example.com': 'https://example.com/',
  }
  for (const [sent, url] of Object.entries(urls)) t.equal(kept(validateUrl, sent), url, sent)
})

t.test('a URL is absolute, http or https, and holds no secret', async (t) => {
  const refused = [
    '',
    'example.com',
    '/a',
    '//example.com',
    'javascript:alert(1)',
    'java\nscript:alert(1)',
    'data:text/html,x',
    'ftp://example.com',
    'mailto:a@b.example',
    'https://',
    'https://user@example.com',
    'https://:secret@example.com',
    ' https://example.com',
    'https://example.com/a b',
    'https://example.com/\u0001',
    'https://example.com/\u3000',
    `https://example.com/${'a'.repeat(2_029)}`,
    `https://example.com/${'ü'.repeat(400)}`,
  ]
  for (const s of refused) t.equal(kept(validateUrl, s), undefined, shown(s))
  t.equal(kept(validateUrl, `https://example.com/${'a'.repeat(2_028)}`)?.length, 2_048)
})

t.test('a kept URL is kept again as it is', async () => {
  fc.assert(
    fc.property(fc.oneof(fc.webUrl({ withFragments: true }), anyText), (s) => {
      const url = kept(validateUrl, s)
      return url === undefined || kept(validateUrl, url) === url
    }),
  )
})

t.test('an e-mail address has one plain form', async (t) => {
  const good = [
    'a@b.example',
    'first.last+tag@sub.b.example',
    'jürgen@münchen.example',
    'a@b.xn--p1ai',
  ]
  for (const s of good) t.equal(kept(validateEmail, s), s)
  const dotted = ['.a@b.example', 'a.@b.example', 'a..b@c.example', 'a@b', 'a@b..example', 'a@.b.c']
  const odd = [
    '',
    '@',
    'a@',
    '@b.example',
    'a@@b.example',
    'a b@c.example',
    ' a@b.example',
    'a@-b.c',
  ]
  const dangerous = [
    'a\n@b.example',
    'a@b.example\r\nBcc: x@y.example',
    '<a@b.example>',
    '"a"@b.example',
  ]
  const long = [`${'a'.repeat(65)}@b.example`, `a@${'b.'.repeat(126)}cc`]
  for (const s of [...dotted, ...odd, ...dangerous, ...long]) {
    t.equal(kept(validateEmail, s), undefined, shown(s))
  }
})

t.test('a title is kept in NFC on one line', async (t) => {
  t.equal(kept(validateTitle, ' Cafe\u0301 ½ \u200f\n'), 'Café ½ \u200f')
  t.equal(kept(validateTitle, 'x'.repeat(500)), 'x'.repeat(500))
  for (const s of [
    'a\u202eb',
    'a\u2066b',
    '',
    ' ',
    'a\nb',
    'a\tb',
    'a\u2028b',
    'a\u007f',
    'x'.repeat(501),
  ]) {
    t.equal(kept(validateTitle, s), undefined, shown(s))
  }
})

t.test(
  'validateUrl keeps no quote of any kind, and the same URL when it is validated again',
  async (t) => {
    const kept = validateUrl("https://a.example/it's?q='x'")
    t.same(kept, { ok: true, value: 'https://a.example/it%27s?q=%27x%27' })
    t.same(validateUrl('https://a.example/it%27s?q=%27x%27'), kept)
    t.match(validateUrl(`https://a.example/${"'".repeat(700)}`), { ok: false })
  },
)
