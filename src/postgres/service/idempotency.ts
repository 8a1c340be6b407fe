import { sql } from 'kysely'
import type { Db, Tx } from '../connection/db.ts'
import { prepare, type Query } from '../connection/prepared.ts'

/** The hash of a client's Idempotency-Key with the hash of the request's body, both SHA-256. */
export type IdempotencyKey = {
  readonly siteId: number
  readonly keyHash: Buffer
  readonly bodyHash: Buffer
}

/** The answers that replace a response with the text of a redacted, or of a withdrawn comment. */
export const REDACTED = 'redacted'
export const WITHDRAWN = 'withdrawn'

/** The stored response of an earlier request with the same key. Its answer is null if its author is erased. */
export type StoredResponse = { readonly bodyHash: Buffer; readonly answer: unknown }

/**
 * Locks keys until the transaction ends. If a node crashes, its keys are free again, because nothing was
 * committed.
 * @returns in the order of the keys; false for each that another transaction has locked
 */
export const lockIdempotencyKeys = (keys: readonly IdempotencyKey[]): Query<LockedKey> =>
  LOCK_KEYS({
    highs: keys.map(({ siteId, keyHash }) => keyHash.readInt32BE(0) ^ siteId),
    lows: keys.map(({ keyHash }) => keyHash.readInt32BE(4)),
  })

export type LockedKey = { readonly held: boolean }

const LOCK_KEYS = prepare<{ highs: readonly number[]; lows: readonly number[] }, LockedKey>(
  (of) => sql`
    select pg_try_advisory_xact_lock(high, low) as held
    from unnest(${of.highs}::int[], ${of.lows}::int[]) with ordinality as c (high, low, ordinal)
    order by ordinal`,
)

/** @returns the responses of the last day; `ordinal`: the place of the key */
export const findAnswers = (keys: readonly IdempotencyKey[]): Query<FoundAnswer> =>
  FIND_ANSWERS({
    siteIds: keys.map(({ siteId }) => siteId),
    keyHashes: keys.map(({ keyHash }) => keyHash),
  })

export type FoundAnswer = StoredResponse & { readonly ordinal: number }

const FIND_ANSWERS = prepare<
  { siteIds: readonly number[]; keyHashes: readonly Buffer[] },
  FoundAnswer
>(
  (of) => sql`
    select c.ordinal, k.body_hash, k.answer
    from unnest(${of.siteIds}::int[], ${of.keyHashes}::bytea[])
      with ordinality as c (site_id, key_hash, ordinal)
    join idempotency_keys k on k.site_id = c.site_id and k.key_hash = c.key_hash
    where k.created_at > now() - interval '24 hours'`,
)

/** @param answered no key occurs twice */
export const insertAnswers = (
  answered: readonly { readonly idempotencyKey: IdempotencyKey; readonly answer: unknown }[],
): Query =>
  INSERT_ANSWERS({
    siteIds: answered.map(({ idempotencyKey }) => idempotencyKey.siteId),
    keyHashes: answered.map(({ idempotencyKey }) => idempotencyKey.keyHash),
    bodyHashes: answered.map(({ idempotencyKey }) => idempotencyKey.bodyHash),
    answers: answered.map(({ answer }) => JSON.stringify(answer)),
  })

type AnswerColumns = {
  readonly siteIds: readonly number[]
  readonly keyHashes: readonly Buffer[]
  readonly bodyHashes: readonly Buffer[]
  readonly answers: readonly string[]
}

const INSERT_ANSWERS = prepare<AnswerColumns, unknown>(
  (of) => sql`
    insert into idempotency_keys (site_id, key_hash, body_hash, answer)
    select * from unnest(${of.siteIds}::int[], ${of.keyHashes}::bytea[], ${of.bodyHashes}::bytea[],
      ${of.answers}::json[])
    on conflict (site_id, key_hash) do update set body_hash = excluded.body_hash,
      answer = excluded.answer, created_at = excluded.created_at`,
)

/** Replaces the response that repeated requests get. */
export const updateAnswer = async (
  tx: Tx,
  { siteId, keyHash }: IdempotencyKey,
  answer: unknown,
): Promise<void> => {
  await tx
    .updateTable('idempotencyKeys')
    .set({ answer: JSON.stringify(answer) })
    .where('siteId', '=', siteId)
    .where('keyHash', '=', keyHash)
    .execute()
}

const emptiedAs = (mark: typeof REDACTED | typeof WITHDRAWN) =>
  sql`answer = ${JSON.stringify(mark)}, body_hash = '', created_at = clock_timestamp()`
const emptied = emptiedAs(REDACTED)

/** Empties the stored responses that contain the text of a comment, by the public ids that they have. */
export const withdrawAnswers = async (
  tx: Tx,
  { siteId, comment, author }: Pick<Redaction, 'siteId' | 'comment' | 'author'>,
): Promise<void> => {
  await sql`
    update idempotency_keys k set ${emptiedAs(WITHDRAWN)}
    where k.site_id = ${siteId} and k.answer #>> '{body,id}' = ${comment}
      and coalesce(k.answer #>> '{body,author,id}', k.answer #>> '{body,author_id}') = ${author}`.execute(
    tx,
  )
}

type Redaction = {
  readonly siteId: number
  /** The number of the comment. */
  readonly id: number
  /** Public ids, as responses have them. */
  readonly comment: string
  readonly author: string
  readonly appealIds: readonly string[]
  /** Null for all revisions. */
  readonly revision: number | null
  /** Texts that a note on the author must not contain. */
  readonly quotes: readonly string[]
}

/**
 * Empties the stored responses that contain the text of a comment, or a note that can quote it. The keys stay, so
 * that a late retry does not post the text again. A response is stored in the transaction of its decision, so the
 * time of the decision finds it. The caller has not emptied the notes of the decisions yet.
 */
export const redactAnswers = async (
  tx: Tx,
  { siteId, id, comment, author, appealIds, revision, quotes }: Redaction,
): Promise<void> => {
  const named = [comment, ...appealIds]
  await sql`
    update idempotency_keys k set ${emptied}
    where k.site_id = ${siteId}
      and coalesce(k.answer #>> '{body,author,id}', k.answer #>> '{body,author_id}') = ${author}
      and (k.answer #>> '{body,id}' = ${comment}
          and (${revision}::int is null or k.answer #>> '{body,revision}' = ${revision}::int::text)
        or exists (select from unnest(${quotes}::text[]) as q (quote)
          where strpos(k.answer #>> '{body,note}', quote) > 0))`.execute(tx)
  await sql`
    update idempotency_keys k set ${emptied} from decisions d
    where k.site_id = ${siteId} and d.site_id = ${siteId} and d.comment_id = ${id}
      and d.note is not null
      and k.created_at between d.decided_at - ${LONGEST_WRITE} and d.decided_at
      and coalesce(k.answer #>> '{body,comment_id}', k.answer #>> '{body,id}')
        = any(${named}::text[])`.execute(tx)
}

/** A write ends before this time. */
const LONGEST_WRITE = sql`interval '15 seconds'`

/** Deletes a batch of the answers that are older than a day. @returns the number of rows */
export const deleteOldAnswers = async (db: Db, batch: number): Promise<number> => {
  const { numAffectedRows } = await sql`
    delete from idempotency_keys where (site_id, key_hash) in (
      select site_id, key_hash from idempotency_keys
      where created_at < now() - interval '24 hours' limit ${batch})`.execute(db)
  return Number(numAffectedRows ?? 0)
}
