import fc from 'fast-check'
import t from 'tap'
import { renderMarkdown } from '../../src/domain/comment/markdown.ts'
import { readRendering } from '../../src/domain/screening/rendering.ts'
import { openBrowser, skipWithoutBrowser } from '../browser.ts'

const COMMENTS = 4_000

const pieces = [
  '[ ] ( ) < > \\ ` ** * _ ~~ ! | " \''.split(' '),
  'https:/ https:// http:\\\\ HTTPS: mailto: javascript: // @ :80 ?u='.split(' '),
  'a.example ev&#105;l.example evil\\.example bücher.example 0x7f.1 [::1]'.split(' '),
  'x &amp; &lt; &#8203; \u202e %2e %zz 。 ａ'.split(' '),
  [' ', '\n', '\n\n', '\n> ', '\n- ', '```\n'],
].flat()
const some = (maxLength: number) =>
  fc
    .array(fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: 'grapheme', maxLength: 4 })), {
      maxLength,
    })
    .map((parts) => parts.join('').replaceAll('\0', ''))
const schemes = fc.constantFrom(
  'https:/',
  'https://',
  'http:\\\\',
  'HTTPS:',
  'mailto:x@',
  '//',
  'data:',
)
const links = fc
  .tuple(some(4), schemes, some(6))
  .map(([label, scheme, target]) => `[${label}](${scheme}${target.replaceAll(/[\s)]/g, '')})`)
const bodies = fc.array(fc.oneof(some(6), links), { maxLength: 6 }).map((parts) => parts.join(' '))

/** Chromium escapes stars, bars and quotes in places where the URL Standard does not. */
const writeHrefs = (hrefs: readonly string[]): string =>
  hrefs.join(' ').replace(/%(?:2A|7C|27)/g, decodeURIComponent)

t.test(
  'the rules read the links and the text that a browser makes of a comment',
  { skip: skipWithoutBrowser },
  async (t) => {
    const page = await (await openBrowser(t)).newPage()
    const written = fc.sample(bodies, COMMENTS)
    const all = written.map((body) => ({ body, html: renderMarkdown(body) }))
    const seen = await page.evaluate(
      (htmls) =>
        htmls.map((html) => {
          const { body } = new DOMParser().parseFromString(html, 'text/html')
          const links = [...body.querySelectorAll('a')]
          return { text: body.textContent, hrefs: links.map(({ href }) => href) }
        }),
      all.map(({ html }) => html),
    )
    const faults = all.flatMap(({ body, html }, n) => {
      const { text, links } = readRendering(body, html)
      const hrefs = links.flatMap(({ href = [] }) => href)
      const isRead = text.trim() === seen[n]!.text.trim()
      return isRead && writeHrefs(hrefs) === writeHrefs(seen[n]!.hrefs)
        ? []
        : [{ body, html, text, hrefs, seen: seen[n] }]
    })
    t.same(faults, [])
    t.ok(seen.filter(({ hrefs }) => hrefs.length > 0).length > COMMENTS / 50, 'many have links')
  },
)
