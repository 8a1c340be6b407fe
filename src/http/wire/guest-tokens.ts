import type { KeyObject } from 'node:crypto'
import { isSignature, sign } from './keys.ts'

const SIGNATURE_BYTES = 24

/** Writes a guest token, `g.<site>.<author>.<signature>`. The service stores none; a token is valid on one site. */
export const writeGuestToken = (key: KeyObject, siteId: number, authorId: number): string => {
  const claim = `g.${siteId.toString(36)}.${authorId.toString(36)}`
  return `${claim}.${sign(key, claim, SIGNATURE_BYTES).toString('base64url')}`
}

/** Reads the guest of a token. Undefined if the signature is wrong or the token is for another site. */
export const readGuestToken = (
  key: KeyObject,
  siteId: number,
  token: string,
): number | undefined => {
  const match = /^(g\.([0-9a-z]{1,10})\.([0-9a-z]{1,10}))\.([\w-]{32})$/.exec(token)
  if (!match) return undefined
  const [, claim, site, author, signature] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
  ]
  if (Number.parseInt(site, 36) !== siteId) return undefined
  const isOurs = isSignature(key, claim, Buffer.from(signature, 'base64url'))
  return isOurs ? Number.parseInt(author, 36) : undefined
}
