import type { Author } from '../../domain/comment/comment.ts'
import type { Instant } from '../../domain/instant.ts'
import type { Caller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { inTransaction } from '../../postgres/connection/transaction.ts'
import { lockWriterRows } from '../../postgres/people/authors.ts'
import {
  deleteTransferCode,
  findTransfer,
  storeTransferCode,
} from '../../postgres/people/transfer-codes.ts'
import type { Context } from '../context.ts'

/**
 * Stores a transfer code of the guest who asks, in place of an earlier one. An erasure of the guest comes before, or
 * deletes the code.
 * @returns when the code expires
 */
export const createTransferCode = async (
  context: Context,
  { site, caller, codeHash }: { site: Site; caller: Caller; codeHash: Buffer },
): Promise<Instant> => {
  if (caller.kind === 'nobody') throw new Refusal('login_required')
  if (caller.kind !== 'guest') throw new Refusal('forbidden')
  const { authorId } = caller
  return inTransaction(context.writes, async (tx) => {
    const guests = await lockWriterRows(tx, site.id, [authorId])
    if (!guests.has(authorId)) throw new Refusal('invalid_token')
    return storeTransferCode(tx, { siteId: site.id, authorId, codeHash })
  })
}

/**
 * Uses up a transfer code and returns its guest. A code that is wrong, expired or used is `not_found`, and so is one
 * whose guest is erased.
 */
export const redeemTransferCode = async (
  context: Context,
  { site, codeHashes }: { site: Site; codeHashes: readonly Buffer[] },
): Promise<Author> => {
  const code = { siteId: site.id, codeHashes }
  return inTransaction(context.writes, async (tx) => {
    const authorId = await findTransfer(tx, code)
    if (authorId === undefined) throw new Refusal('not_found')
    const guest = (await lockWriterRows(tx, site.id, [authorId])).get(authorId)
    if (!guest || !(await deleteTransferCode(tx, code))) throw new Refusal('not_found')
    return guest
  })
}
