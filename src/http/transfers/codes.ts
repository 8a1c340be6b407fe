import { randomBytes } from 'node:crypto'
import { type Keys, signWithAll } from '../wire/keys.ts'

/** Digits and letters without I, L, O and U, which people take for others. Source: D. Crockford, Base 32. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const GROUP = 4
/** Each symbol has five bits. */
const SYMBOLS = 12
const HASH_BYTES = 32

const CODE = new RegExp(`^[${ALPHABET}]{${SYMBOLS}}$`)

/** A random code of 60 bits, in groups: `K7QF-M2XD-9RTA`. */
export const makeCode = (): string =>
  [...randomBytes(SYMBOLS)]
    .map((byte, at) => (at > 0 && at % GROUP === 0 ? '-' : '') + ALPHABET[byte % ALPHABET.length])
    .join('')

/** Reads a code as people write it. Undefined if it cannot be a code. */
export const readCode = (text: string): string | undefined => {
  const symbols = text.toUpperCase().replace(/[\s-]/g, '').replace(/O/g, '0').replace(/[IL]/g, '1')
  return CODE.test(symbols) ? symbols : undefined
}

/**
 * Every hash that is stored for the code: the first is that of a new one.
 * @param code with or without groups
 */
export const hashesOfCode = (keys: Keys, siteId: number, code: string): Buffer[] =>
  signWithAll(keys, `transfer ${siteId} ${code.replaceAll('-', '')}`, HASH_BYTES)
