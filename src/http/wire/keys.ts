import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto'

/** The keys of one purpose, one from each secret of the service: the first signs, and all verify. */
export type Keys = readonly [KeyObject, ...KeyObject[]]

/** Derived from the service's secrets, so that all nodes have the same keys. */
export type WireKeys = {
  readonly cursors: CursorKeys
  readonly guests: Keys
  readonly addresses: Keys
  /**
   * Identifies the first secret without revealing it. Cached pages contain cursors, which another secret cannot read.
   */
  readonly id: string
}

export type CursorKeys = { readonly signing: Keys; readonly encryption: Keys }

/** The secrets of the service: the first signs, and all verify. */
export type Secrets = readonly [Buffer, ...Buffer[]]

export const deriveKeys = (secrets: Secrets): WireKeys => ({
  cursors: {
    signing: derive(secrets, 'cursors'),
    encryption: derive(secrets, 'cursor contents'),
  },
  guests: derive(secrets, 'guests'),
  addresses: derive(secrets, 'addresses'),
  id: derive(secrets, 'id')[0].export().toString('base64url').slice(0, 8),
})

/** A key object is made once. Signing with raw bytes makes it each time and takes five times as long. */
const derive = ([first, ...others]: Secrets, purpose: string): Keys => {
  const toKey = (secret: Buffer) =>
    createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', `afterword ${purpose}`, 32)))
  return [toKey(first), ...others.map(toKey)]
}

const signWith = (key: KeyObject, text: string, bytes: number): Buffer =>
  createHmac('sha256', key).update(text).digest().subarray(0, bytes)

export const sign = ([first]: Keys, text: string, bytes: number): Buffer =>
  signWith(first, text, bytes)

/** Under every key, the first one first: what a stored hash can be, whichever secret was in use. */
export const signWithAll = (keys: Keys, text: string, bytes: number): Buffer[] =>
  keys.map((key) => signWith(key, text, bytes))

/** Compares a signature in constant time. */
export const isSignature = (keys: Keys, text: string, signature: Buffer): boolean =>
  signature.length > 0 &&
  keys.some((key) => timingSafeEqual(signature, signWith(key, text, signature.length)))
