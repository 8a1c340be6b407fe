import { Refusal } from '../domain/refusal.ts'
import type { Tx } from '../postgres/connection/db.ts'
import { type Send, sendTogether, sendWithCommit } from '../postgres/connection/pipeline.ts'
import type { Query } from '../postgres/connection/prepared.ts'
import { inTransaction } from '../postgres/connection/transaction.ts'
import {
  type FoundAnswer,
  findAnswers,
  type IdempotencyKey,
  insertAnswers,
  type LockedKey,
  lockIdempotencyKeys,
  REDACTED,
  type StoredResponse,
  WITHDRAWN,
} from '../postgres/service/idempotency.ts'
import type { Context } from './context.ts'
import type { Outcome, Outcomes, Written } from './write-queue.ts'

/**
 * Runs a write once per Idempotency-Key. Its effect and its response are committed together, so a
 * repeated request finds both or neither. A refused write has no effect, and is not remembered.
 * @param write sends its last statements with `send`, which takes the commit along if no response must be remembered
 */
export const runOnce = async <Response>(
  context: Context,
  idempotencyKey: IdempotencyKey | undefined,
  write: (tx: Tx, send: Send) => Promise<Response>,
): Promise<Response> => {
  const { response } = await writeOnce(context, idempotencyKey, async (tx, send) => ({
    response: await write(tx, send),
  }))
  return response as Response
}

/** As `runOnce`, for a write whose caller needs the effect too; a repeated response has none. */
export const writeOnce = <Effect>(
  context: Context,
  idempotencyKey: IdempotencyKey | undefined,
  write: (tx: Tx, send: Send) => Promise<Written<Effect>>,
): Promise<Written<Effect>> =>
  inTransaction(context.writes, async (tx) => {
    if (!idempotencyKey) return write(tx, (queries) => sendWithCommit(tx, queries))
    const keyed = { idempotencyKey }
    const recalled = await recallResponses<typeof keyed, Effect>(tx, [keyed])
    const outcomes = new Map<typeof keyed, Outcome<Effect>>()
    if (recalled.fresh.length > 0) {
      const send: Send = (queries) => sendTogether(tx, queries)
      outcomes.set(keyed, await write(tx, send))
    }
    const { outcomes: ended, answers } = rememberResponses(recalled, outcomes)
    const outcome = ended.get(keyed)!
    if ('refusal' in outcome) throw outcome.refusal
    if (answers) await sendWithCommit(tx, [answers])
    return outcome
  })

const EMPTIED: readonly unknown[] = [REDACTED, WITHDRAWN]

type KeyedWrite = { readonly idempotencyKey: IdempotencyKey | undefined }

/** The outcome of a key, for every write that has the same body. */
type KeyOutcome<Effect> = { readonly bodyHash: Buffer; readonly outcome: Outcome<Effect> }

/** The writes of a transaction after their keys were looked up. */
export type Recalled<W extends KeyedWrite, Effect> = {
  readonly writes: readonly W[]
  /** Writes to be done: without a key, or the first with a new key. */
  readonly fresh: readonly W[]
  /** By key. */
  readonly remembered: ReadonlyMap<string, KeyOutcome<Effect>>
}

/**
 * Locks the Idempotency-Keys of several writes until the transaction ends, and finds the responses
 * that earlier transactions remembered.
 */
export const recallResponses = async <W extends KeyedWrite, Effect>(
  tx: Tx,
  writes: readonly W[],
): Promise<Recalled<W, Effect>> => {
  const { queries, toRecalled } = askForResponses<W, Effect>(writes)
  return toRecalled(queries[0] ? await sendTogether(tx, queries) : [[], []])
}

/**
 * The statements of `recallResponses`, and its result from their rows. Of the writes that share a key only the first
 * is fresh: Postgres would grant all of them the lock, because they share a session.
 */
export const askForResponses = <W extends KeyedWrite, Effect>(writes: readonly W[]) => {
  const firsts = firstOfEachKey(writes)
  const keys = [...firsts.values()].map(({ idempotencyKey }) => idempotencyKey!)
  const hasKeys = keys.length > 0
  const queries = [
    hasKeys ? lockIdempotencyKeys(keys) : undefined,
    hasKeys ? findAnswers(keys) : undefined,
  ] as const
  const toRecalled = ([locked, answers]: readonly [
    readonly LockedKey[],
    readonly FoundAnswer[],
  ]): Recalled<W, Effect> => {
    const earlier = new Map(answers.map(({ ordinal, ...stored }) => [ordinal, stored]))
    const remembered = new Map<string, KeyOutcome<Effect>>()
    for (const [i, key] of [...firsts.keys()].entries()) {
      const found = locked[i]!.held ? earlier.get(i + 1) : { bodyHash: keys[i]!.bodyHash }
      if (!found) continue
      // The hash of a removed text is gone, so the answer is the same for every body.
      const isEmptied = 'answer' in found && EMPTIED.includes(found.answer)
      const { bodyHash } = isEmptied ? keys[i]! : found
      remembered.set(key, { bodyHash, outcome: outcomeOf(found) })
    }
    const isFresh = (write: W): boolean => {
      const key = write.idempotencyKey && nameOf(write.idempotencyKey)
      return key === undefined || (firsts.get(key) === write && !remembered.has(key))
    }
    return { writes, fresh: writes.filter(isFresh), remembered }
  }
  return { queries, toRecalled }
}

/** The outcomes of the writes whose keys earlier transactions remembered, or have locked. */
export const recalledOutcomes = <W extends KeyedWrite, Effect>({
  writes,
  remembered,
}: Recalled<W, Effect>): Outcomes<W, Effect> =>
  new Map(
    writes.flatMap((write) => {
      const outcome = repeat(remembered, write.idempotencyKey)
      return outcome ? [[write, outcome]] : []
    }),
  )

const firstOfEachKey = <W extends KeyedWrite>(writes: readonly W[]): Map<string, W> => {
  const firsts = new Map<string, W>()
  for (const write of writes) {
    const key = write.idempotencyKey && nameOf(write.idempotencyKey)
    if (key !== undefined && !firsts.has(key)) firsts.set(key, write)
  }
  return firsts
}

/**
 * A key without an answer is locked by another transaction. An answer of null marks a request of an erased author,
 * `REDACTED` one about a redacted comment, and `WITHDRAWN` one about a withdrawn comment; these must not run again.
 */
const outcomeOf = <Effect>({ answer }: Partial<StoredResponse>): Outcome<Effect> => {
  if (answer === undefined) return { refusal: new Refusal('idempotency_in_flight') }
  if (answer === null) return { refusal: new Refusal('author_erased') }
  if (answer === REDACTED) return { refusal: new Refusal('comment_redacted') }
  if (answer === WITHDRAWN) return { refusal: new Refusal('not_found') }
  return { response: answer, isEarlier: true }
}

const nameOf = ({ keyHash }: IdempotencyKey): string => keyHash.toString('base64')

/**
 * Repeats the responses of the fresh writes for the writes that share their keys.
 * @returns an outcome for every write, except a fresh one without an outcome and those that share its key; and the
 * statement that remembers the responses, undefined if none of them has a key
 */
export const rememberResponses = <W extends KeyedWrite, Effect>(
  { writes, remembered }: Recalled<W, Effect>,
  fresh: Outcomes<W, Effect>,
): { outcomes: Outcomes<W, Effect>; answers: Query | undefined } => {
  const outcomes = new Map(remembered)
  const answered = []
  for (const [{ idempotencyKey }, outcome] of fresh) {
    if (!idempotencyKey) continue
    outcomes.set(nameOf(idempotencyKey), {
      bodyHash: idempotencyKey.bodyHash,
      outcome: withoutEffect(outcome),
    })
    if ('response' in outcome) answered.push({ idempotencyKey, answer: outcome.response })
  }
  return {
    outcomes: new Map(
      writes.flatMap((write) => {
        const outcome = fresh.get(write) ?? repeat(outcomes, write.idempotencyKey)
        return outcome ? [[write, outcome]] : []
      }),
    ),
    answers: answered.length > 0 ? insertAnswers(answered) : undefined,
  }
}

/** The outcome of a write that repeats another one. */
export const withoutEffect = <Effect>(outcome: Outcome<Effect>): Outcome<Effect> =>
  'refusal' in outcome ? outcome : { response: outcome.response }

const repeat = <Effect>(
  remembered: ReadonlyMap<string, KeyOutcome<Effect>>,
  idempotencyKey: IdempotencyKey | undefined,
): Outcome<Effect> | undefined => {
  const found = idempotencyKey && remembered.get(nameOf(idempotencyKey))
  if (!found) return undefined
  const { bodyHash, outcome } = found
  return bodyHash.equals(idempotencyKey.bodyHash)
    ? outcome
    : { refusal: new Refusal('idempotency_key_reused') }
}
