import { isSignature, type Keys, sign } from '../wire/keys.ts'

const SIGNATURE_BYTES = 18
const HOUR_MS = 3_600_000

/** The form of which article it is, and to which comment it replies. All readers of an hour get the same stamp. */
export type Stamp = {
  readonly siteId: number
  readonly articleId: string
  readonly parentId: string | null
  readonly hour: number
}

export const hourNow = (): number => Math.floor(Date.now() / HOUR_MS)

export const writeStamp = (keys: Keys, stamp: Stamp): string => {
  const { siteId, articleId, parentId, hour } = stamp
  return writeSigned(keys, 'form', [siteId, articleId, parentId, hour])
}

/** Undefined if the service did not sign the text. */
export const readStamp = (keys: Keys, text: string): Stamp | undefined => {
  const parts = readSigned(keys, 'form', text)
  if (!parts) return undefined
  const [siteId, articleId, parentId, hour] = parts as [number, string, string | null, number]
  return { siteId, articleId, parentId, hour }
}

export const writeSigned = (keys: Keys, purpose: string, parts: readonly unknown[]): string => {
  const text = Buffer.from(JSON.stringify(parts)).toString('base64url')
  return `${text}.${sign(keys, `${purpose} ${text}`, SIGNATURE_BYTES).toString('base64url')}`
}

export const readSigned = (
  keys: Keys,
  purpose: string,
  signed: string,
): readonly unknown[] | undefined => {
  const match = /^([\w-]{1,18000})\.([\w-]{24})$/.exec(signed)
  if (!match) return undefined
  const [, text, signature] = match as unknown as [string, string, string]
  if (!isSignature(keys, `${purpose} ${text}`, Buffer.from(signature, 'base64url')))
    return undefined
  return JSON.parse(Buffer.from(text, 'base64url').toString())
}
