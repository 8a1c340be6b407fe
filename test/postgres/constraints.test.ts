import { sql } from 'kysely'
import t from 'tap'
import { openService } from '../service.ts'

const COMMENT =
  'insert into comments (site_id, thread_id, author_id, status, created_at, body, body_html, renderer'

/** Rows that the database refuses, and the constraint that refuses each. */
const REFUSED: [string, string, string][] = [
  [
    'a second site with the slug',
    "insert into sites (slug, name) values ('default', 'x')",
    'sites_slug',
  ],
  [
    'a slug that is none',
    "insert into sites (slug, name) values ('No slug', 'x')",
    'sites_slug_check',
  ],
  [
    'a second thread of an article',
    "insert into threads (site_id, article_id) values (1, 'a')",
    'threads_article',
  ],
  [
    'an article without a key',
    "insert into threads (site_id, article_id) values (1, '')",
    'threads_article_id_check',
  ],
  [
    'a key that is too long',
    "insert into threads (site_id, article_id) values (1, repeat('x', 513))",
    'threads_article_id_check',
  ],
  ['a count below zero', 'update threads set comment_count = -1', 'threads_comment_count_check'],
  ['a root count below zero', 'update threads set root_count = -1', 'threads_root_count_check'],
  [
    'a reply count below zero',
    'update comment_tallies set reply_count = -1',
    'comment_tallies_reply_count_check',
  ],
  [
    'a comment in no thread',
    `${COMMENT}) values (1, 99, 1, 'approved', now(), '', '', 1)`,
    'comments_thread',
  ],
  [
    'a comment in the thread of another site',
    `${COMMENT}) values (2, 1, 1, 'approved', now(), '', '', 1)`,
    'comments_thread',
  ],
  [
    'a comment by an author of another site',
    `with b as (insert into threads (site_id, article_id) values (2, 'b') returning id)
      ${COMMENT}) select 2, id, 1, 'approved', now(), '', '', 1 from b`,
    'comments_author',
  ],
  [
    'a comment by nobody',
    `${COMMENT}) values (1, 1, 99, 'approved', now(), '', '', 1)`,
    'comments_author',
  ],
  [
    'a root below another comment',
    `${COMMENT}, parent_id) values (1, 1, 1, 'approved', now(), '', '', 1, 1)`,
    'comments_check',
  ],
  [
    'a reply to none',
    `${COMMENT}, depth) values (1, 1, 1, 'approved', now(), '', '', 1, 1)`,
    'comments_check',
  ],
  ['a reply to itself', 'update comments set parent_id = id, depth = 1', 'comments_check1'],
  [
    'a second key with the hash',
    "insert into api_keys (scope, name, hash) select 'read', 'x', hash from api_keys",
    'api_keys_hash',
  ],
  [
    'a decision that changes nothing',
    "insert into decisions (site_id, thread_id, comment_id, from_status, to_status, decided_by, decided_at) values (1, 1, 1, 'spam', 'spam', 'k1', now())",
    'decisions_check',
  ],
  ['a depth that nobody can want', 'update sites set max_depth = 401', 'sites_max_depth_check'],
  [
    'an edit window below zero',
    'update sites set edit_window_seconds = -1',
    'sites_edit_window_seconds_check',
  ],
]

t.test('the constraints of the database refuse invalid rows', async (t) => {
  const { db, post } = await openService(t)
  await post('a', 'text')
  await sql`insert into sites (slug, name) values ('other', 'Other')`.execute(db)
  for (const [what, statement, constraint] of REFUSED) {
    const refusal = await sql
      .raw(statement)
      .execute(db)
      .then(String, (error) => error.constraint)
    t.equal(refusal, constraint, what)
  }
})

t.test('counts of votes are never below zero', async (t) => {
  const { db, post } = await openService(t)
  await post('a', 'text')
  // Postgres computes the generated columns before it checks the votes, so they fail first.
  for (const column of ['upvotes', 'downvotes']) {
    await t.rejects(sql.raw(`update comment_tallies set ${column} = -1`).execute(db), column)
  }
})

t.test('the sort keys of a comment follow from its votes and status', async (t) => {
  const { db, post } = await openService(t)
  await post('a', 'text')
  await sql`update comment_tallies set upvotes = 3, downvotes = 1`.execute(db)
  const { rows } =
    await sql`select score, shown, best > 0 as best, controversy > 0 as controversy from comment_tallies`.execute(
      db,
    )
  t.same(rows, [{ score: 2, shown: true, best: true, controversy: true }])
  for (const change of ['shown = true', 'score = 9', 'best = 9', 'hot = 9', 'controversy = 9']) {
    await t.rejects(
      sql.raw(`update comment_tallies set ${change}`).execute(db),
      { code: '428C9' },
      change,
    )
  }
})
