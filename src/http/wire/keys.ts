import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

/** One key per purpose, all from the service's secret, so that nodes agree and uses do not mix. */
export type WireKeys = {
  readonly cursors: Buffer
  readonly guests: Buffer
  readonly addresses: Buffer
  /** Tells secrets apart without telling them: pages with cursors of another one are other pages. */
  readonly id: string
}

export const deriveKeys = (secret: Buffer): WireKeys => ({
  cursors: derive(secret, 'cursors'),
  guests: derive(secret, 'guests'),
  addresses: derive(secret, 'addresses'),
  id: derive(secret, 'id').toString('base64url').slice(0, 8),
})

const derive = (secret: Buffer, purpose: string) =>
  Buffer.from(hkdfSync('sha256', secret, '', `afterword ${purpose}`, 32))

export const sign = (key: Buffer, text: string, bytes: number): Buffer =>
  createHmac('sha256', key).update(text).digest().subarray(0, bytes)

/** In constant time. */
export const isSignature = (key: Buffer, text: string, signature: Buffer): boolean =>
  signature.length > 0 && timingSafeEqual(signature, sign(key, text, signature.length))
