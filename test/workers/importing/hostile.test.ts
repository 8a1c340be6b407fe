import { Readable } from 'node:stream'
import { createGzip, gzipSync } from 'node:zlib'
import { strToU8, zipSync } from 'fflate'
import t from 'tap'
import { readExport } from '../../../src/workers/importing/read-export.ts'
import { runs } from '../../lengths.ts'
import { readAll } from './reading.ts'

const MEGABYTE = 2 ** 20
const MAX_GROWTH_BYTES = 100 * MEGABYTE
/** How many megabytes of well-formed comments are read. */
const WXR_MEGABYTES = runs(8, 32)
const COMMENTO_MEGABYTES = runs(4, 16)

type Outcome = { readonly records: number; readonly error: unknown; readonly growthBytes: number }

/** Reads a stream, and measures by how much the memory of the process grew at most. */
const readHostile = async (chunks: AsyncIterable<Uint8Array>): Promise<Outcome> => {
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  let growthBytes = 0
  let records = 0
  const watched = async function* () {
    let count = 0
    for await (const chunk of chunks) {
      if (++count % 64 === 0)
        growthBytes = Math.max(growthBytes, process.memoryUsage().rss - before)
      yield chunk
    }
  }
  try {
    const opened = await readExport(watched())
    for await (const batch of opened.records) records += batch.length
    return { records, error: undefined, growthBytes }
  } catch (error) {
    return { records, error, growthBytes }
  }
}

const repeat = async function* (start: string, piece: string, bytes: number, end = '') {
  yield Buffer.from(start)
  const chunk = Buffer.from(piece.repeat(Math.ceil(65_536 / piece.length)))
  for (let sent = 0; sent < bytes; sent += chunk.length) yield chunk
  yield Buffer.from(end)
}
const only = async function* (content: Uint8Array | string) {
  yield Buffer.from(content)
}

const RSS = '<?xml version="1.0"?><rss><channel><link>https://a.example</link>'

const HOSTILE: Readonly<Record<string, readonly [() => AsyncIterable<Uint8Array>, RegExp]>> = {
  'entities that expand to gigabytes': [
    () =>
      only(
        `<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><rss>&b;</rss>`,
      ),
    /DOCTYPE/,
  ],
  'an external entity': [
    () =>
      only(
        `<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss>&a;</rss>`,
      ),
    /DOCTYPE/,
  ],
  'a DOCTYPE behind a long comment': [
    () =>
      only(
        `<?xml version="1.0"?><!--${'-'.repeat(70_000).replaceAll('--', '- ')}x--><!DOCTYPE rss [<!ENTITY a "b">]><rss>&a;</rss>`,
      ),
    /DOCTYPE|no element/,
  ],
  '200,000 nested elements': [() => only(`${RSS}${'<a>'.repeat(200_000)}`), /deeper than 100/],
  'a text of one gigabyte': [
    () => repeat(`${RSS}<item><title>`, 'x', 1_024 * MEGABYTE),
    /longer than/,
  ],
  'a comment of one gigabyte': [() => repeat(`${RSS}<!--`, 'x', 1_024 * MEGABYTE), /longer than/],
  'an attribute of one gigabyte': [
    () => repeat(`${RSS}<a b="`, 'x', 1_024 * MEGABYTE),
    /longer than/,
  ],
  'a name of one gigabyte': [() => repeat(`${RSS}<`, 'x', 1_024 * MEGABYTE), /longer than/],
  'an entity of one gigabyte': [() => repeat(`${RSS}&`, 'x', 64 * MEGABYTE), /longer than|cut off/],
  'a million attributes': [
    () => repeat(`${RSS}<a `, 'b="c" ', 16 * MEGABYTE),
    /too many attributes|not well-formed/,
  ],
  'a JSON text of one gigabyte': [
    () => repeat('[{"page_key":"/","content":"', 'x', 1_024 * MEGABYTE),
    /larger than/,
  ],
  'a JSON object of one gigabyte': [
    () => repeat('[{"page_key":"/","content":"","more":[', '1,', 1_024 * MEGABYTE),
    /larger than/,
  ],
  'a CSV field of one gigabyte': [
    () => repeat('Comment ID,Published Timestamp,Article URL\n"', 'x', 1_024 * MEGABYTE),
    /not valid CSV/,
  ],
  'a zip of zips': [
    () => only(zipSync({ 'a.zip': zipSync({ 'b.xml': strToU8(RSS) }) })),
    /another archive/,
  ],
  'a gzip of a zip': [() => only(gzipSync(zipSync({ 'b.xml': strToU8(RSS) }))), /another archive/],
  'a gzip of a gzip': [() => only(gzipSync(gzipSync(RSS))), /another archive/],
  'a gzip bomb': [
    () => Readable.from(repeat(RSS, '<a></a>', 1_024 * MEGABYTE)).pipe(createGzip({ level: 9 })),
    /200 times/,
  ],
  'a zip bomb': [
    () => only(zipSync({ 'a.xml': new Uint8Array(64 * MEGABYTE).fill(0x20) }, { level: 9 })),
    /200 times|no element|no format|empty/,
  ],
  'random bytes': [
    () => only(Buffer.from(Array.from({ length: 5_000 }, (_, index) => (index * 7_919) % 251))),
    /no format/,
  ],
  'an empty file': [() => only(''), /empty/],
  'an HTML page': [
    () => only('<!doctype html><html><body>404</body></html>'),
    /DOCTYPE|root element/,
  ],
  'a feed that is no export': [
    () => only('<?xml version="1.0"?><feed></feed>'),
    /root element is feed/,
  ],
  'a 7z archive': [() => only(Buffer.from('377abcaf271c0004', 'hex')), /7z archive/],
}

for (const [name, [create, message]] of Object.entries(HOSTILE))
  t.test(`readExport refuses ${name}, and memory stays small`, async (t) => {
    const { error, growthBytes } = await readHostile(create())
    t.match(error, { name: 'UnreadableFile', message })
    t.ok(growthBytes < MAX_GROWTH_BYTES, `memory grew by ${Math.round(growthBytes / MEGABYTE)} MB`)
  })

const WXR_COMMENT =
  '<wp:comment><wp:comment_id>1</wp:comment_id><wp:comment_author><![CDATA[Ada]]></wp:comment_author>' +
  '<wp:comment_date_gmt>2012-03-04 05:06:07</wp:comment_date_gmt><wp:comment_content><![CDATA[one <b>two</b> &amp; three, and a sentence that is long enough for a comment.]]></wp:comment_content>' +
  '<wp:comment_approved>1</wp:comment_approved><wp:comment_parent>0</wp:comment_parent></wp:comment>\n'

t.test('readExport reads a large WXR in memory that does not grow with the file', async (t) => {
  const start =
    '<?xml version="1.0"?><rss xmlns:wp="http://wordpress.org/export/1.2/"><channel><link>https://a.example</link><item><link>https://a.example/b</link>'
  const { error, records, growthBytes } = await readHostile(
    repeat(start, WXR_COMMENT, WXR_MEGABYTES * MEGABYTE, '</item></channel></rss>'),
  )
  t.equal(error, undefined)
  t.ok(records > 2_000 * WXR_MEGABYTES, `${records} records`)
  t.ok(growthBytes < MAX_GROWTH_BYTES, `memory grew by ${Math.round(growthBytes / MEGABYTE)} MB`)
})

t.test(
  'readExport reads a Commento file of which all authors come last, in small memory',
  async (t) => {
    const comment =
      '{"commentHex":"c","domain":"a.example","url":"/b","commenterHex":"p","markdown":"one","parentHex":"root","state":"approved","creationDate":"2021-03-12T11:21:56Z"}'
    const { error, records, growthBytes } = await readHostile(
      repeat(
        '{"version":1,"comments":[',
        `${comment},`,
        COMMENTO_MEGABYTES * MEGABYTE,
        `${comment}],"commenters":[]}`,
      ),
    )
    t.equal(error, undefined)
    t.ok(records > 6_000 * COMMENTO_MEGABYTES, `${records} records`)
    t.ok(growthBytes < MAX_GROWTH_BYTES, `memory grew by ${Math.round(growthBytes / MEGABYTE)} MB`)
  },
)

t.test('readExport refuses an archive that is cut off', async (t) => {
  const content = `${RSS}${'<item><title>one</title></item>'.repeat(3_000)}</channel></rss>`
  const zip = zipSync({ 'a.xml': strToU8(content) }, { level: 0 })
  for (const packed of [gzipSync(content), zip])
    for (const part of [0.2, 0.5, 0.9])
      await t.rejects(readAll(packed.subarray(0, Math.floor(packed.length * part))), {
        name: 'UnreadableFile',
      })
})

t.test('readExport reads the same from a plain file, a gzip and a zip', async (t) => {
  const content = `${RSS}<item><link>https://a.example/b</link>${WXR_COMMENT.repeat(20)}</item></channel></rss>`
  const plain = await readAll(content)
  t.equal(plain.records.filter(({ kind }) => kind === 'comment').length, 20)
  t.same(await readAll(gzipSync(content)), plain)
  t.same(await readAll(zipSync({ 'a.xml': strToU8(content) })), plain)
  t.same(await readAll(zipSync({ 'a/b.xml': strToU8(content) }), { chunkBytes: 7 }), plain)
})

t.test('readExport reads UTF-16 and ISO 8859-1, as the file says', async (t) => {
  const content = (encoding: string) =>
    `<?xml version="1.0" encoding="${encoding}"?><rss><channel><link>https://a.example/é</link></channel></rss>`
  const origin = [{ kind: 'origin', origin: 'wordpress:https://a.example/é' }]
  t.same((await readAll(Buffer.from(`\ufeff${content('UTF-16')}`, 'utf16le'))).records, origin)
  t.same((await readAll(Buffer.from(content('ISO-8859-1'), 'latin1'))).records, origin)
})
