import type { Static } from 'typebox'
import { validateEmail } from '../../domain/comment/text.ts'
import {
  type Ban,
  type BanSubject,
  normalizeDomain,
  normalizeEmail,
} from '../../domain/moderation/ban.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { CreatedBan } from '../../usecases/bans/bans.ts'
import { hashesOfEmail, matchesEmail, readNetwork } from '../edge/writer-identity.ts'
import { readTimeOrNull } from '../wire/fields.ts'
import type { Keys } from '../wire/keys.ts'
import { presentDoer } from '../wire/stored-ids.ts'
import type { BanChange, NewBan } from './schemas.ts'

type BanOnWire = Static<typeof NewBan>

/**
 * Reads a requested ban and its effect on earlier comments. The e-mail address becomes a hash here.
 * `ids`: null for a ban from all sites, which names no author.
 */
export const readBan = (ids: PublicIds | null, keys: Keys, body: BanOnWire) => {
  const { effect, reason = null, note = null, existing_comments: existing = 'keep' } = body
  const expiresAt = readTimeOrNull('/expires_at', body.expires_at)
  const target = readTarget(ids, keys, body)
  const appliesTo = (email: string) => matchesEmail(keys, target, email)
  return { ban: { target, effect, reason, note, expiresAt }, existing, appliesTo }
}

/** Fields that the body omits stay as they are. */
export const readBanChange = ({ effect, reason, note, expires_at }: Static<typeof BanChange>) => ({
  ...(effect !== undefined && { effect }),
  ...(reason !== undefined && { reason }),
  ...(note !== undefined && { note }),
  ...(expires_at !== undefined && { expiresAt: readTimeOrNull('/expires_at', expires_at) }),
})

/** Reads the subject that a list of bans is asked for. */
export const readSubject = (
  ids: PublicIds | null,
  keys: Keys,
  { kind, value }: { kind?: BanOnWire['kind']; value?: string },
): BanSubject | undefined => {
  if (value === undefined) return undefined
  if (kind === undefined) throw new Refusal('invalid_request', { kind: 'is required with value' })
  return readTarget(ids, keys, { kind, value }, 'value')
}

const readTarget = (
  ids: PublicIds | null,
  keys: Keys,
  { kind, value }: Pick<BanOnWire, 'kind' | 'value'>,
  pointer = '/value',
): BanSubject => {
  const fault = (problem: string): never => {
    throw new Refusal('invalid_request', { [pointer]: problem })
  }
  if (kind === 'author') {
    if (!ids) throw new Refusal('invalid_request', { '/kind': 'authors are banned on their site' })
    return { kind, authorId: ids.read('author', value) ?? fault('is no id of an author') }
  }
  if (kind === 'network') {
    const network = readNetwork(keys, value)
    return network
      ? { kind, ...network }
      : fault('must be an address or a network, up to /8 or an IPv6 /19')
  }
  const email = validateEmail(kind === 'email' ? value : `x@${value}`)
  if (!email.ok) return fault(kind === 'email' ? email.problem : 'must be a domain')
  if (kind === 'email_domain') return { kind, domain: normalizeDomain(value) }
  const normal = normalizeEmail(email.value)
  return {
    kind,
    emailHashes: hashesOfEmail(keys, normal),
    domain: normal.slice(normal.lastIndexOf('@') + 1),
  }
}

/** A ban as moderators see it. */
export const presentBan = (ids: PublicIds, ban: Ban) => ({
  id: ids.write('ban', ban.id),
  kind: ban.kind,
  value: presentValue(ids, ban),
  effect: ban.effect,
  reason: ban.reason,
  note: ban.note,
  by: presentDoer(ids, ban.by),
  at: ban.at,
  expires_at: ban.expiresAt,
  lifted_by: ban.liftedBy && presentDoer(ids, ban.liftedBy),
  lifted_at: ban.liftedAt,
  in_force: ban.isInForce,
})

/** A new ban with the batch that changes earlier comments. */
export const presentMadeBan = (ids: PublicIds, { ban, batch }: CreatedBan) => ({
  ...presentBan(ids, ban),
  batch_id: batch && ids.write('batch', batch.id),
})

const presentValue = (ids: PublicIds, { kind, authorId, network, domain }: Ban): string | null => {
  if (authorId !== null) return ids.write('author', authorId)
  return kind === 'email' ? domain && `…@${domain}` : (network ?? domain)
}
