import type { Role } from '../../domain/comment/comment.ts'
import {
  type BanHashes,
  domainsOf,
  normalizeEmail,
  type WriterIdentity,
} from '../../domain/moderation/ban.ts'
import type { Facts } from '../../domain/screening/facts.ts'
import type { Db } from '../../postgres/connection/db.ts'
import { findBansOn, listBansWithin, listInForce } from '../../postgres/moderation/bans.ts'
import type { StoredWriter } from '../../postgres/screening/judged-comments.ts'

/**
 * Loads the bans that apply now to the authors of stored comments, and those of then that are in force. A ban that
 * blocks holds a stored comment. Of an address only its network and hash are stored: they match bans on the
 * network or a larger one, and bans on the address itself.
 * @returns in the order of the writers
 */
export const findBansOnStored = async (
  db: Db,
  { siteId, hashes }: { siteId: number; hashes: BanHashes },
  writers: readonly (StoredWriter & { readonly bans: Facts['bans'] })[],
): Promise<readonly Facts['bans'][]> => {
  const networks = [...new Set(writers.flatMap((writer) => networkOf(writer) ?? []))]
  const matches = await findBansOn(
    db,
    siteId,
    writers.map((one) => identityOf(one, hashes)),
  )
  const single = await listBansWithin(db, siteId, networks)
  const earlier = await listInForce(db, [
    ...new Set(writers.flatMap(({ bans }) => bans.map(({ id }) => id))),
  ])
  return writers.map((writer, n) => {
    const ofAddress = writer.addressHash
      ? single.filter(({ address }) =>
          hashes.addresses(address).some((hash) => hash.equals(writer.addressHash!)),
        )
      : []
    const now = isStaff(writer.role) ? [] : [...matches[n]!, ...ofAddress]
    const then = writer.bans.filter(({ id }) => earlier.has(id))
    const found = new Map([...then, ...now].map(({ id, effect }) => [id, effect]))
    return Array.from(found, ([id, effect]) => ({
      id,
      effect: effect === 'block' ? 'hold' : effect,
    }))
  })
}

const isStaff = (role: Role): boolean => role === 'moderator' || role === 'owner'

const networkOf = ({ network }: StoredWriter): string | undefined =>
  network === null || network === 'unknown' ? undefined : network

const identityOf = (writer: StoredWriter, hashes: BanHashes): WriterIdentity | undefined => {
  if (isStaff(writer.role)) return undefined
  const email = writer.email === null ? undefined : normalizeEmail(writer.email)
  return {
    authorId: writer.authorId,
    ip: networkOf(writer) ?? null,
    emailHashes: email === undefined ? [] : hashes.emails(email),
    domains: email === undefined ? [] : domainsOf(email),
  }
}
