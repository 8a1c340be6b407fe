import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto'

/** One key per purpose, derived from the service's secret, so that all nodes have the same keys. */
export type WireKeys = {
  readonly cursors: CursorKey
  readonly guests: KeyObject
  readonly addresses: KeyObject
  /** Identifies the secret without revealing it: a cached page contains cursors, which another secret cannot read. */
  readonly id: string
}

export type CursorKey = { readonly signing: KeyObject; readonly encryption: KeyObject }

export const deriveKeys = (secret: Buffer): WireKeys => ({
  cursors: {
    signing: derive(secret, 'cursors'),
    encryption: derive(secret, 'cursor contents'),
  },
  guests: derive(secret, 'guests'),
  addresses: derive(secret, 'addresses'),
  id: derive(secret, 'id').export().toString('base64url').slice(0, 8),
})

/** A key object is made once. Signing with raw bytes makes it each time and takes five times as long. */
const derive = (secret: Buffer, purpose: string): KeyObject =>
  createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', `afterword ${purpose}`, 32)))

export const sign = (key: KeyObject, text: string, bytes: number): Buffer =>
  createHmac('sha256', key).update(text).digest().subarray(0, bytes)

/** Compares a signature in constant time. */
export const isSignature = (key: KeyObject, text: string, signature: Buffer): boolean =>
  signature.length > 0 && timingSafeEqual(signature, sign(key, text, signature.length))
