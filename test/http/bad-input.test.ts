import t from 'tap'
import {
  COMMONMARK_EXAMPLES,
  JSON_TEXTS,
  NAUGHTY_STRINGS,
  sample,
  XSS_PAYLOADS,
} from '../fixtures/hostile.ts'
import { htmlFault, testHostileInput } from './bad-input.ts'

/** A sample of what test/slow/bad-input.test.ts sends. */

t.test('htmlFault finds all that comments may not hold', async (t) => {
  const bad = [
    '<script>alert(1)</script>',
    '<p onclick="x">a</p>',
    '<a href="javascript:x">a</a>',
    '<a href="/x">a</a>',
    '<img src="x">',
    '<!-- a -->',
    '<p>a < b</p>',
    '<p/x>',
  ]
  for (const html of bad) t.ok(htmlFault(html), JSON.stringify(html))
  t.notOk(htmlFault('<ol start="3"><li>a &lt; b<br /></li></ol>'))
})

testHostileInput({
  texts: {
    'naughty strings': sample(NAUGHTY_STRINGS, 40),
    'XSS payloads': sample(XSS_PAYLOADS, 40),
    'CommonMark examples': sample(
      COMMONMARK_EXAMPLES.map(({ markdown }) => markdown),
      30,
    ),
  },
  naughty: sample(NAUGHTY_STRINGS, 25),
  json: sample(JSON_TEXTS, 50),
})
