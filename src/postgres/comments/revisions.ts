import { type RawBuilder, sql } from 'kysely'
import type { Comment } from '../../domain/comment/comment.ts'
import type { Instant } from '../../domain/instant.ts'
import type { Db } from '../connection/db.ts'
import { prepare, type Query } from '../connection/prepared.ts'
import { type StoredJudgement, toColumns } from './comments.ts'

/** A new text for a comment. Without a judgement, the comment keeps the one that it has. */
export type NewText<Judged extends StoredJudgement | undefined = StoredJudgement | undefined> = {
  readonly comment: Pick<Comment, 'threadId' | 'id' | 'revision'>
  readonly body: string
  readonly bodyHtml: string
  readonly by: string
  readonly judged: Judged
}

/** The statement of `reviseJudged` for one text, judged or not. */
export const reviseComment = (
  siteId: number,
  renderer: number,
  { judged, ...text }: NewText,
): Query<Revised> =>
  judged
    ? reviseJudged(siteId, renderer, [{ ...text, judged }])
    : REVISE({ siteId, renderer, ...columnsOf([text]) })

/**
 * The statement that replaces the texts of comments and keeps the earlier ones as revisions. Each row has the new
 * revision and time of one comment.
 */
export const reviseJudged = (
  siteId: number,
  renderer: number,
  texts: readonly NewText<StoredJudgement>[],
): Query<Revised> => {
  const judgements = texts.map(({ judged }) => toColumns(judged))
  return REVISE_JUDGED({
    siteId,
    renderer,
    ...columnsOf(texts),
    policyVersions: judgements.map(({ policyVersion }) => policyVersion),
    risks: judgements.map(({ risk }) => risk),
    facts: judgements.map(({ facts }) => facts),
    screenings: judgements.map(({ screening }) => screening),
    packedFacts: judgements.map(({ packedFacts }) => packedFacts),
    packedTraces: judgements.map(({ packedTrace }) => packedTrace),
  })
}

type Revised = { readonly id: number; readonly revision: number; readonly editedAt: Instant }

const columnsOf = (texts: readonly Omit<NewText, 'judged'>[]) => ({
  threadIds: texts.map(({ comment }) => comment.threadId),
  ids: texts.map(({ comment }) => comment.id),
  revisions: texts.map(({ comment }) => comment.revision),
  bodies: texts.map(({ body }) => body),
  htmls: texts.map(({ bodyHtml }) => bodyHtml),
  by: texts.map(({ by }) => by),
})

type Places<Values> = { readonly [Key in keyof Values]: RawBuilder<Values[Key]> }
type TextColumns = { readonly siteId: number; readonly renderer: number } & ReturnType<
  typeof columnsOf
>
type JudgedColumns = TextColumns & {
  readonly policyVersions: readonly number[]
  readonly risks: readonly number[]
  readonly facts: readonly (string | null)[]
  readonly screenings: readonly (string | null)[]
  readonly packedFacts: readonly (string | null)[]
  readonly packedTraces: readonly (string | null)[]
}

const writeRevisions = (
  of: Places<TextColumns>,
  { values, names, changes }: { [K in 'values' | 'names' | 'changes']: RawBuilder<unknown> },
) => sql<Revised>`
  with texts as materialized (
    select * from unnest(${of.threadIds}::bigint[], ${of.ids}::bigint[], ${of.revisions}::int[],
      ${of.bodies}::text[], ${of.htmls}::text[], ${of.by}::text[] ${values})
      as n (thread_id, id, revision, body, body_html, by ${names})
  ),
  kept as (
    insert into comment_revisions
      (site_id, comment_id, revision, body, body_html, replaced_at, replaced_by)
    select c.site_id, c.id, c.revision, c.body, c.body_html, clock_timestamp(), n.by
    from texts n join comments c
      on c.site_id = ${of.siteId} and c.thread_id = n.thread_id and c.id = n.id
  )
  update comments c set body = n.body, body_html = n.body_html, renderer = ${of.renderer}::int,
    ${changes} revision = n.revision + 1, changed_xid = pg_current_xact_id(),
    edited_at = clock_timestamp()
  from texts n where c.site_id = ${of.siteId} and c.thread_id = n.thread_id and c.id = n.id
  returning c.id, c.revision, c.edited_at`

const REVISE = prepare<TextColumns, Revised>((of) =>
  writeRevisions(of, { values: sql``, names: sql``, changes: sql`` }),
)
const REVISE_JUDGED = prepare<JudgedColumns, Revised>((of) =>
  writeRevisions(of, {
    values: sql`, ${of.policyVersions}::int[], ${of.risks}::smallint[], ${of.facts}::jsonb[],
      ${of.screenings}::jsonb[], ${of.packedFacts}::text[], ${of.packedTraces}::text[]`,
    names: sql`, policy_version, risk, facts, screening, packed_facts, packed_trace`,
    changes: sql`policy_version = n.policy_version, risk = n.risk, facts = n.facts, screening = n.screening,
      packed_facts = n.packed_facts, packed_trace = n.packed_trace,`,
  }),
)

/** The text of a comment before an edit. */
export type Revision = {
  readonly revision: number
  /** The author of the comment. */
  readonly authorId: number
  readonly body: string
  readonly bodyHtml: string
  readonly replacedAt: Instant
  readonly replacedBy: string
}

/** Lists revisions, latest first; `limit + 1` rows. */
export const listRevisions = (
  db: Db,
  {
    siteId,
    commentId,
    before,
    limit,
  }: {
    siteId: number
    commentId: number
    before: number | null
    limit: number
  },
): Promise<Omit<Revision, 'authorId'>[]> =>
  db
    .selectFrom('commentRevisions')
    .select(['revision', 'body', 'bodyHtml', 'replacedAt', 'replacedBy'])
    .where('siteId', '=', siteId)
    .where('commentId', '=', commentId)
    .$if(before !== null, (query) => query.where('revision', '<', before))
    .orderBy('revision', 'desc')
    .limit(limit + 1)
    .execute()
