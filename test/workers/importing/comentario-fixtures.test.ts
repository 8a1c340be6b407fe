import t from 'tap'
import { expectFile, readAll, realFile, type Summary } from './reading.ts'

const one: Partial<Summary> = { comments: 1, threads: 1, statuses: { approved: 1 } }
const comentario: Partial<Summary> = { format: 'comentario' }
const disqus: Partial<Summary> = { format: 'disqus' }
const wxr: Partial<Summary> = { format: 'wxr', origin: 'wordpress:https://example.com' }

const GOOD: Readonly<Record<string, Partial<Summary>>> = {
  'comentario-ok-empty-v1.json.gz': { ...comentario, origin: 'comentario:' },
  'comentario-ok-empty-v3.json.gz': { ...comentario, origin: 'comentario:' },
  'comentario-ok-single-v1.json.gz': { ...comentario, ...one, origin: 'comentario:example.com' },
  'comentario-ok-single-v3.json.gz': { ...comentario, ...one, origin: 'comentario:localhost:8000' },
  'disqus-ok-empty.xml.gz': { ...disqus, origin: 'disqus:' },
  'disqus-ok-single.xml.gz': { ...disqus, ...one, origin: 'disqus:XYZ' },
  'wordpress-ok-empty.zip': wxr,
  'wordpress-ok-long.zip': { ...wxr, ...one },
  'wordpress-ok-single.zip': { ...wxr, ...one },
}
const BAD: Readonly<Record<string, object>> = {
  'comentario-bad-format.json.gz': { message: /not valid JSON/, line: 1, column: 23 },
  'comentario-bad-version.json.gz': { message: /Version 481/ },
  'disqus-bad-format.xml.gz': { message: /cut off/, line: Number },
  'wordpress-bad-format.zip': { message: /not well-formed/, line: 1, column: 334 },
  'wordpress-bad-no-files.zip': { message: 'The zip contains no file.' },
  'wordpress-bad-two-files.zip': { message: /more than one file/ },
}

for (const [name, expected] of Object.entries(GOOD))
  t.test(`Comentario's ${name} is read`, async (t) => {
    await expectFile(t, `comentario/import-fixtures/${name}`, expected)
  })
for (const [name, fault] of Object.entries(BAD))
  t.test(`Comentario's ${name} is refused`, async (t) => {
    const content = realFile(t, `comentario/import-fixtures/${name}`)
    if (content) await t.rejects(readAll(content), { name: 'UnreadableFile', ...fault })
  })

t.test("Comentario's db-seed.sql is no export", async (t) => {
  const content = realFile(t, 'comentario/db-seed.sql')
  if (content) await t.rejects(readAll(content), { name: 'UnreadableFile', message: /dump of SQL/ })
})
