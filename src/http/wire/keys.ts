import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto'

/** One key per purpose, all from the service's secret, so that nodes agree and uses do not mix. */
export type WireKeys = {
  readonly cursors: KeyObject
  readonly guests: KeyObject
  readonly addresses: KeyObject
  /** Tells secrets apart without telling them: pages with cursors of another one are other pages. */
  readonly id: string
}

export const deriveKeys = (secret: Buffer): WireKeys => ({
  cursors: derive(secret, 'cursors'),
  guests: derive(secret, 'guests'),
  addresses: derive(secret, 'addresses'),
  id: derive(secret, 'id').export().toString('base64url').slice(0, 8),
})

/** Made once: a signature with the bytes alone makes the key each time, and takes five times as long. */
const derive = (secret: Buffer, purpose: string): KeyObject =>
  createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', `afterword ${purpose}`, 32)))

export const sign = (key: KeyObject, text: string, bytes: number): Buffer =>
  createHmac('sha256', key).update(text).digest().subarray(0, bytes)

/** In constant time. */
export const isSignature = (key: KeyObject, text: string, signature: Buffer): boolean =>
  signature.length > 0 && timingSafeEqual(signature, sign(key, text, signature.length))
