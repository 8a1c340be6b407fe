import type { PublicIds } from '../../domain/public-id.ts'
import { isSignature, type Keys, sign } from './keys.ts'

const SIGNATURE_BYTES = 24

type GuestsOf = { readonly siteId: number; readonly ids: PublicIds }

/** Writes a guest token, `g.<author>.<signature>`. The service stores none; a token is valid on one site. */
export const writeGuestToken = (keys: Keys, { siteId, ids }: GuestsOf, guest: number): string => {
  const author = ids.write('author', guest)
  const signature = sign(keys, claimOf(siteId, author), SIGNATURE_BYTES)
  return `g.${author}.${signature.toString('base64url')}`
}

const TOKEN = /^g\.([\w-]{1,40})\.([\w-]{32})$/

/** True for every text with the form of a guest token, whatever its signature. */
export const isGuestToken = (token: string): boolean => TOKEN.test(token)

/** Reads the guest of a token. Undefined if the signature is wrong or the token is for another site. */
export const readGuestToken = (
  keys: Keys,
  { siteId, ids }: GuestsOf,
  token: string,
): number | undefined => {
  const match = TOKEN.exec(token)
  if (!match) return undefined
  const [, author, signature] = match as unknown as [string, string, string]
  const isOurs = isSignature(keys, claimOf(siteId, author), Buffer.from(signature, 'base64url'))
  return isOurs ? ids.read('author', author) : undefined
}

const claimOf = (siteId: number, author: string): string => `g.${siteId}.${author}`
