import { Refusal } from '../domain/refusal.ts'
import type { Tx } from '../postgres/connection/db.ts'
import { inTransaction } from '../postgres/connection/transaction.ts'
import {
  findAnswers,
  type IdempotencyKey,
  insertAnswers,
  lockIdempotencyKeys,
} from '../postgres/service/idempotency.ts'
import type { Context } from './context.ts'

/**
 * One effect per Idempotency-Key: the effect and its answer are committed together, so a repeated
 * request finds both or neither. What was refused had no effect and is not remembered.
 */
export const runOnce = <Answer>(
  context: Context,
  claim: IdempotencyKey | undefined,
  act: (tx: Tx) => Promise<Answer>,
): Promise<Answer> =>
  inTransaction(context.writes, async (tx) => {
    if (!claim) return act(tx)
    const write = { claim }
    const outcomes = await runEachOnce(tx, [write], async ([fresh]) =>
      fresh ? new Map([[fresh, { answer: await act(tx) }]]) : new Map(),
    )
    const outcome = outcomes.get(write)!
    if ('refusal' in outcome) throw outcome.refusal
    return outcome.answer as Answer
  })

/** What became of one of several writes. `isEarlier`: another transaction gave that answer. */
export type Outcome =
  | { readonly answer: unknown; readonly isEarlier?: true }
  | { readonly refusal: Refusal }

export type Outcomes<Write> = ReadonlyMap<Write, Outcome>

type Claiming = { readonly claim: IdempotencyKey | undefined }

/**
 * The same for several writes that share a transaction. Those that repeat an earlier one get its
 * answer. Of those that repeat each other only the first is acted on, and the others share what
 * becomes of it: Postgres would give the key to all of them, because it is one session that asks.
 * @param act gets those that repeat nothing
 */
export const runEachOnce = async <Write extends Claiming>(
  tx: Tx,
  writes: readonly Write[],
  act: (fresh: readonly Write[]) => Promise<Outcomes<Write>>,
): Promise<Outcomes<Write>> => {
  const claims = listClaims(writes)
  if (claims.length === 0) return act(writes)
  const given = await findGiven(tx, claims)
  const isFresh = ({ claim }: Write): boolean =>
    !claim || (claims.includes(claim) && !given.has(nameOf(claim)))
  const outcomes = new Map(await act(writes.filter(isFresh)))
  await remember(tx, outcomes)
  for (const [{ claim }, outcome] of outcomes) {
    if (claim) given.set(nameOf(claim), { bodyHash: claim.bodyHash, outcome })
  }
  for (const write of writes) {
    if (!outcomes.has(write)) outcomes.set(write, repeat(given, write.claim!))
  }
  return outcomes
}

/** The first claim of each key. */
const listClaims = (writes: readonly Claiming[]): IdempotencyKey[] => {
  const claims = new Map<string, IdempotencyKey>()
  for (const { claim } of writes) {
    if (claim && !claims.has(nameOf(claim))) claims.set(nameOf(claim), claim)
  }
  return [...claims.values()]
}

const nameOf = ({ claim }: IdempotencyKey): string => claim.toString('base64')

/** What is said under a key, to whoever sends the same body. */
type Given = { readonly bodyHash: Buffer; readonly outcome: Outcome }

/** By the names of the claims: what is said already, and of what another transaction holds. */
const findGiven = async (
  tx: Tx,
  claims: readonly IdempotencyKey[],
): Promise<Map<string, Given>> => {
  const isHeld = await lockIdempotencyKeys(tx, claims)
  const earlier = await findAnswers(tx, claims)
  const given = claims.map((claim, i): Given | undefined => {
    if (!isHeld[i]) {
      const refusal = new Refusal('idempotency_in_flight')
      return { bodyHash: claim.bodyHash, outcome: { refusal } }
    }
    const { bodyHash, answer } = earlier[i] ?? {}
    return bodyHash && { bodyHash, outcome: { answer, isEarlier: true } }
  })
  return new Map(claims.flatMap((claim, i) => (given[i] ? [[nameOf(claim), given[i]]] : [])))
}

const remember = async (tx: Tx, outcomes: Outcomes<Claiming>): Promise<void> => {
  const answered = [...outcomes].flatMap(([{ claim }, outcome]) =>
    claim && 'answer' in outcome ? [{ claim, answer: outcome.answer }] : [],
  )
  if (answered.length > 0) await insertAnswers(tx, answered)
}

const repeat = (given: ReadonlyMap<string, Given>, claim: IdempotencyKey): Outcome => {
  const { bodyHash, outcome } = given.get(nameOf(claim))!
  if (bodyHash.equals(claim.bodyHash)) return outcome
  return { refusal: new Refusal('idempotency_key_reused') }
}
