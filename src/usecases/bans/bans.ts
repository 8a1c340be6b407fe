import {
  type Ban,
  type ExistingCommentAction,
  STATUSES_CHANGED_BY,
} from '../../domain/moderation/ban.ts'
import { differenceOf } from '../../domain/moderation/decision.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { storedId } from '../../domain/stored-id.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { inTransaction, runQuery } from '../../postgres/connection/transaction.ts'
import type { Batch } from '../../postgres/jobs/batches.ts'
import { insertItemsOfBanned } from '../../postgres/moderation/banned-comments.ts'
import {
  type BanTerms,
  liftBan as endBan,
  listBans as findBans,
  insertBan,
  lockBanRow,
  type NewBan,
  updateBan as updateTerms,
} from '../../postgres/moderation/bans.ts'
import { type Decision, insertDecision } from '../../postgres/moderation/decisions.ts'
import { findAuthor } from '../../postgres/people/authors.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import { createBatch, runCreatedBatch } from '../batches/batches.ts'
import type { Context } from '../context.ts'
import type { StatusRequest } from '../decisions/decide-in-thread.ts'
import { runOnce } from '../run-once.ts'

/** The site of a ban and the moderator who decides it. `site`: null for all sites. */
type BanScope = { readonly site: Site | null; readonly moderator: StaffCaller }

export type BanRequest = BanScope & {
  readonly ban: Omit<NewBan, 'siteId' | 'by'>
  readonly existing: ExistingCommentAction
  /** Whether the ban matches an author with this e-mail address. */
  readonly appliesTo: (email: string) => boolean
  readonly idempotencyKey: IdempotencyKey | undefined
}

/** `batch`: the decisions on existing comments; null if the ban keeps them. */
export type CreatedBan = { readonly ban: Ban; readonly batch: Batch | null }

/** Bans a ban subject. Refuses to ban staff, who must lose their roles first. */
export const createBan = async <Response>(
  context: Context,
  request: BanRequest,
  present: (created: CreatedBan) => Response,
): Promise<Response> => {
  const created = await runOnce(
    context,
    request.idempotencyKey,
    async (tx): Promise<CreatedBan> => {
      const { site, moderator, ban: newBan } = request
      await assertMayBan(tx, request)
      const ban = await insertBan(tx, {
        ...newBan,
        siteId: site?.id ?? null,
        by: callerIdOf(moderator),
      })
      if (ban.expiresAt !== null && ban.expiresAt <= ban.at)
        throw new Refusal('invalid_request', { '/expires_at': 'must be in the future' })
      const batch = await createBanBatch(tx, request)
      await record(tx, request, { ban, batch, isLifted: false })
      return { ban, batch }
    },
  )
  if (created.batch) await runCreatedBatch(context, created.batch)
  return present(created)
}

/** Creates the batch that changes the existing comments of a banned author. */
const createBanBatch = async (
  tx: Tx,
  { site, moderator, existing, appliesTo, ban: { target, reason, note } }: BanRequest,
): Promise<Batch | null> => {
  if (!site || existing === 'keep') return null
  const decision: StatusRequest = { to: existing, reason, note, replies: 'keep' }
  const statuses = STATUSES_CHANGED_BY[existing]
  return createBatch(tx, {
    siteId: site.id,
    kind: 'decide',
    by: callerIdOf(moderator),
    request: decision,
    fill: (tx, batch) => insertItemsOfBanned(tx, batch, { target, statuses, appliesTo }),
    assertTotal: () => {},
  })
}

const assertMayBan = async (
  tx: Tx,
  { site, existing, ban: { target } }: Pick<BanRequest, 'site' | 'existing' | 'ban'>,
): Promise<void> => {
  if (!site && existing !== 'keep')
    throw new Refusal('invalid_request', {
      '/existing_comments': 'must be keep in a ban from all sites',
    })
  if (target.kind !== 'author' || !site) return
  const author = await findAuthor(tx, site.id, target.authorId)
  if (!author) throw new Refusal('invalid_request', { '/value': 'is no author of this site' })
  if (author.role === 'moderator' || author.role === 'owner')
    throw new Refusal('invalid_request', { '/value': 'is of the staff' })
}

/** Lists bans, latest first. */
export const listBans = async (
  context: Context,
  request: Parameters<typeof findBans>[1],
): Promise<{ items: Ban[]; nextId: number | null }> => {
  const rows = await runQuery(findBans(context.db, request))
  const items = rows.slice(0, request.limit)
  return { items, nextId: rows.length > items.length ? items.at(-1)!.id : null }
}

/** Lifts a ban; lifting it again changes nothing. Refuses with `not_found`. */
export const liftBan = (
  context: Context,
  { id, ...scope }: BanScope & { id: number },
): Promise<void> =>
  inTransaction(context.writes, async (tx) => {
    const { site, moderator } = scope
    const ban = await endBan(tx, { siteId: site?.id ?? null, id, by: callerIdOf(moderator) })
    if (!ban) throw new Refusal('not_found')
    if (!ban.wasLifted) await record(tx, scope, { ban, isLifted: true })
  })

type UpdateRequest = BanScope & { readonly id: number; readonly change: Partial<BanTerms> }

/**
 * Changes the effect, reason, note or expiry of a ban. Refuses with `not_found`, and with
 * `decision_conflict` if the ban was lifted or its address is no longer stored.
 */
export const updateBan = (
  context: Context,
  { id, change, ...scope }: UpdateRequest,
): Promise<Ban> =>
  inTransaction(context.writes, async (tx) => {
    const at = { siteId: scope.site?.id ?? null, id }
    const before = await lockBanRow(tx, at)
    if (!before) throw new Refusal('not_found')
    const { ban } = await changeTerms(tx, scope, { before, change })
    const { expiresAt } = change
    if (expiresAt && Date.parse(expiresAt) <= Date.now())
      throw new Refusal('invalid_request', { '/expires_at': 'must be in the future' })
    return ban
  })

const termsOf = ({ effect, reason, note, expiresAt }: Ban) => ({
  effect,
  reason,
  note,
  expires_at: expiresAt,
})

/** Changes the terms of a locked ban and records the difference. */
const changeTerms = async (
  tx: Tx,
  { site, moderator }: BanScope,
  { before, change, undoes }: { before: Ban; change: Partial<BanTerms>; undoes?: number },
): Promise<{ ban: Ban; decision: Decision | undefined }> => {
  const { id, siteId, kind, authorId, network, liftedAt } = before
  const isForgotten = kind === 'network' && network === null
  if (liftedAt !== null || isForgotten) throw new Refusal('decision_conflict')
  const ban = await updateTerms(tx, { siteId, id }, { ...before, ...change })
  const difference = differenceOf(termsOf(before), termsOf(ban))
  if (Object.keys(difference.after).length === 0) return { ban, decision: undefined }
  const entry = { subject: storedId('ban', id), by: callerIdOf(moderator), ...difference }
  if (site) {
    const decision = await insertDecision(tx, {
      siteId: site.id,
      action: 'ban_update',
      ...(authorId !== null && { authorId }),
      ...(undoes !== undefined && { undoes }),
      ...entry,
    })
    return { ban, decision }
  }
  await insertAuditEntry(tx, { siteId: null, action: 'ban_updated', ...entry })
  return { ban, decision: undefined }
}

/** Restores the terms that a decision changed, if they are as it left them. */
export const undoTerms = async (
  tx: Tx,
  scope: BanScope & { site: Site },
  { id, undoes, before, after }: { id: number; undoes: number; before: object; after: object },
): Promise<Decision> => {
  const ban = await lockBanRow(tx, { siteId: scope.site.id, id })
  if (!ban) throw new Refusal('decision_conflict')
  const now = new Map<string, unknown>(Object.entries(termsOf(ban)))
  const isAsLeft = Object.entries(after).every(([name, value]) => now.get(name) === value)
  if (!isAsLeft) throw new Refusal('decision_conflict')
  const { expires_at: expiresAt, ...plain } = before as Partial<ReturnType<typeof termsOf>>
  const change = { ...plain, ...(expiresAt !== undefined && { expiresAt }) }
  const { decision } = await changeTerms(tx, scope, { before: ban, change, undoes })
  if (!decision) throw new Refusal('decision_conflict')
  return decision
}

type BanChange = {
  readonly ban: Ban
  readonly batch?: Batch | null
  readonly isLifted: boolean
  readonly undoes?: number
}

/** Records a change of a ban: of one site as a decision, of all sites in the audit log. No record has an address. */
export const record = async (
  tx: Tx,
  { site, moderator }: BanScope,
  { ban, batch, isLifted, undoes }: BanChange,
): Promise<Decision | undefined> => {
  const { id, kind, authorId, effect, expiresAt, reason, note } = ban
  const author = authorId === null ? {} : { author_id: storedId('author', authorId) }
  const inBatch = batch ? { batch_id: storedId('batch', batch.id) } : {}
  const fields = { kind, ...author, effect, expires_at: expiresAt, ...inBatch }
  const change = {
    subject: storedId('ban', id),
    by: callerIdOf(moderator),
    ...(isLifted ? { before: fields } : { after: fields }),
  }
  if (site) {
    const why = isLifted ? {} : { reason, note }
    return insertDecision(tx, {
      siteId: site.id,
      action: isLifted ? 'unban' : 'ban',
      ...(authorId !== null && { authorId }),
      ...(undoes !== undefined && { undoes }),
      ...change,
      ...why,
    })
  }
  await insertAuditEntry(tx, {
    siteId: null,
    action: isLifted ? 'ban_lifted' : 'ban_created',
    ...change,
  })
  return undefined
}
