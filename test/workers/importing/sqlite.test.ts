import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { commentsOf, expectFile, readAll, summaryOf } from './reading.ts'

/** The content of a new database with these tables and rows. */
const databaseOf = (sql: string): Buffer => {
  const folder = mkdtempSync(join(tmpdir(), 'sqlite-test-'))
  const path = join(folder, 'a.db')
  const db = new DatabaseSync(path)
  db.exec(sql)
  db.close()
  const content = readFileSync(path)
  rmSync(folder, { recursive: true })
  return content
}

const THREADS = `create table threads (id integer primary key, uri varchar unique, title varchar);
  insert into threads values (1, '/fish', 'Fish');`
const ROW =
  "1, 1, null, 1529821183.904, null, 1, '192.0.2.0', 'one **two**', 'Ada', null, 'https://a.example/'"

/** The tables of Isso before 0.6, before 0.13 and of today. */
const GENERATIONS = [
  `create table comments (tid, id integer primary key, parent integer, created float not null, modified float, mode integer, remote_addr varchar, text varchar, author varchar, email varchar, website varchar, voters blob);
   insert into comments values (${ROW}, x'00');`,
  `create table comments (tid, id integer primary key, parent integer, created float not null, modified float, mode integer, remote_addr varchar, text varchar, author varchar, email varchar, website varchar, likes integer default 0, dislikes integer default 0, voters blob not null);
   insert into comments values (${ROW}, 3, 1, x'00');`,
  `create table comments (tid, id integer primary key, parent integer, created float not null, modified float, mode integer, remote_addr varchar, text varchar not null, author varchar, email varchar, website varchar, likes integer default 0, dislikes integer default 0, voters blob not null, notification integer default 0);
   create table comment_votes (comment_id integer, remote_addr varchar, vote integer);
   insert into comments values (${ROW}, 3, 1, x'00', 0);`,
]

for (const [index, tables] of GENERATIONS.entries())
  t.test(`Isso: generation ${index + 1} of its tables is read`, async (t) => {
    const read = await readAll(databaseOf(THREADS + tables))
    const votes = index === 0 ? { upvotes: 0, downvotes: 0 } : { upvotes: 3, downvotes: 1 }
    t.same(read.format, 'isso')
    t.match(commentsOf(read), [
      {
        id: '1',
        threadKey: '/fish',
        parentId: null,
        author: { key: null, name: 'Ada', email: null, url: 'https://a.example/' },
        createdAt: '2018-06-24T06:19:43.904Z',
        status: 'approved',
        body: 'one **two**',
        address: '192.0.2.0',
        ...votes,
      },
    ])
  })

t.test('Isso: each mode has its status, and a comment without a thread is skipped', async (t) => {
  const rows = [1, 2, 4].map(
    (mode, index) =>
      `(1, ${index + 1}, ${index || 'null'}, 1529821183, 1529821200, ${mode}, '', '${mode === 4 ? '' : 'one'}', '', '', '', 0, 0, x'00')`,
  )
  const lost = "(9, 9, null, 1529821183, null, 1, '', 'one', '', '', '', 0, 0, x'00')"
  const read = await readAll(
    databaseOf(
      `${THREADS}${GENERATIONS[1]!.split('insert')[0]} insert into comments values ${[...rows, lost].join()}`,
    ),
  )
  t.match(summaryOf(read), {
    statuses: { approved: 1, pending: 1, deleted: 1 },
    skips: { no_thread: 1 },
    depth: 2,
  })
  t.equal(commentsOf(read)[0]!.editedAt, '2018-06-24T06:20:00.000Z')
})

t.test('Isso: a database of 5,000 comments comes in batches', async (t) => {
  const many = `${THREADS}${GENERATIONS[1]!.split('insert')[0]}
    insert into comments with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000)
      select 1, i, null, 1529821183, null, 1, '', 'one', '', '', '', 0, 0, x'00' from n`
  t.equal(commentsOf(await readAll(databaseOf(many))).length, 5_000)
})

t.test('Cusdis: its database is read', async (t) => {
  const content = databaseOf(`
    create table projects (id text primary key, title text);
    create table pages (id text primary key, slug text, url text, title text, projectId text);
    create table comments (id text primary key, pageId text, created_at datetime, updated_at datetime, deletedAt datetime, moderatorId text, by_email text, by_nickname text, content text, approved boolean, parentId text);
    insert into pages values ('g1', '/fish', null, 'Fish', 'x');
    insert into comments values ('c1', 'g1', 1700000000000, 0, null, null, 'ada@a.example', 'Ada', 'one', 1, null), ('c2', 'g1', 1700000001000, 0, null, null, null, 'Bob', 'two', 0, 'c1')`)
  const read = await readAll(content)
  t.match(summaryOf(read), { format: 'cusdis', statuses: { approved: 1, pending: 1 }, depth: 1 })
})

t.test(
  'SQLite: a database of something else, or cut off, is refused and no file stays',
  async (t) => {
    const isOurs = (name: string) => name.startsWith('afterword-import-')
    const before = readdirSync(tmpdir()).filter(isOurs).length
    await t.rejects(readAll(databaseOf('create table a (b)')), {
      name: 'UnreadableFile',
      message: /none of Isso/,
    })
    const many = `${THREADS}${GENERATIONS[1]!.split('insert')[0]}
    insert into comments with recursive n(i) as (select 1 union all select i + 1 from n where i < 500)
      select 1, i, null, 1529821183, null, 1, '', hex(randomblob(300)), '', '', '', 0, 0, x'00' from n`
    const content = databaseOf(many)
    for (const part of [0.1, 0.5, 0.9])
      await t.rejects(readAll(content.subarray(0, Math.floor(content.length * part))), {
        name: 'UnreadableFile',
      })
    t.equal(readdirSync(tmpdir()).filter(isOurs).length, before)
  },
)

const REAL: Readonly<Record<string, Parameters<typeof expectFile>[2]>> = {
  'isso/said.db': {
    format: 'isso',
    origin: 'isso',
    comments: 2,
    threads: 2,
    statuses: { approved: 2 },
  },
  'isso/snjlogs.db': {
    format: 'isso',
    origin: 'isso',
    comments: 2,
    threads: 1,
    depth: 1,
    statuses: { approved: 2 },
  },
  'waline/waline-data.sqlite': {
    format: 'waline',
    origin: 'waline',
    comments: 4,
    threads: 1,
    depth: 2,
    statuses: { approved: 4 },
  },
}

for (const [path, expected] of Object.entries(REAL))
  t.test(`${path} has the comments that are written down`, async (t) => {
    await expectFile(t, path, expected)
  })
