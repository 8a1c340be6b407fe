import {
  type Cipheriv,
  createCipheriv,
  createDecipheriv,
  type Decipheriv,
  hkdfSync,
} from 'node:crypto'
import {
  COMMENT_LETTER,
  homeThreadIdOf,
  type IdKind,
  LETTERS,
  type PublicIds,
  type PublicIdsOf,
} from '../../domain/public-id.ts'

/** Keys and bans of one site and of all sites appear in the same lists, so one key encrypts all of them. */
const OF_ALL_SITES: ReadonlySet<IdKind> = new Set(['key', 'ban'])

/** Whether a text has the form of an id, of any site. */
export const looksLikeId = (kind: IdKind, text: string): boolean =>
  text.startsWith(LETTERS[kind]) && BLOCK.test(text.slice(1))

const BLOCK_BYTES = 16
const BLOCK = /^[\w-]{22}$/
const KEY_BYTES = 16
/** A page of a busy thread is built many times, and encrypting an id costs ten times as much as finding it. */
const MAX_REMEMBERED = 20_000
const MAX_SITES = 10_000

/** `secret` must never change: links contain ids. It protects no right, so a leak makes no change necessary. */
export const createPublicIds = (secret: Buffer): PublicIdsOf => {
  const remembered = new Map<string, string>()
  const sites = new Map<number | null, PublicIds>()
  const ofAllSites = createBlocks(secret, null)
  return (siteId) => {
    const known = sites.get(siteId)
    if (known) return known
    const created = createIdsOfSite({ siteId, secret, ofAllSites, remembered })
    return remember(sites, MAX_SITES, siteId, created)
  }
}

type Parts = {
  readonly siteId: number | null
  readonly secret: Buffer
  readonly ofAllSites: Blocks
  readonly remembered: Map<string, string>
}

const createIdsOfSite = ({ siteId, secret, ofAllSites, remembered }: Parts): PublicIds => {
  const ofSite = siteId === null ? ofAllSites : createBlocks(secret, siteId)
  const blocksOf = (kind: IdKind): Blocks => (OF_ALL_SITES.has(kind) ? ofAllSites : ofSite)
  const writeOnce = (letter: string, threadId: number, id: number, blocks: Blocks): string => {
    const name = `${siteId} ${letter}${threadId} ${id}`
    return (
      remembered.get(name) ??
      remember(remembered, MAX_REMEMBERED, name, letter + blocks.encrypt({ letter, threadId, id }))
    )
  }
  return {
    write: (kind, id) => writeOnce(LETTERS[kind], 0, id, blocksOf(kind)),
    read: (kind, text) => {
      const found = blocksOf(kind).decrypt(LETTERS[kind], text)
      return found?.threadId === 0 ? found.id : undefined
    },
    writeComment: (key) => writeOnce(COMMENT_LETTER, homeThreadIdOf(key), key.id, ofSite),
    readComment: (text) => {
      const found = ofSite.decrypt(COMMENT_LETTER, text)
      return found && found.threadId > 0 ? found : undefined
    },
  }
}

const remember = <K, V>(map: Map<K, V>, max: number, key: K, value: V): V => {
  if (map.size >= max) map.clear()
  map.set(key, value)
  return value
}

type Named = { readonly letter: string; readonly threadId: number; readonly id: number }

type Blocks = {
  readonly encrypt: (named: Named) => string
  readonly decrypt: (letter: string, text: string) => { threadId: number; id: number } | undefined
}

/**
 * One AES block per id: the letter, the thread (0 if none) and the id, 64 bits each half. No two ids have
 * the same block, so the cipher needs neither nonce nor chaining. Numbers stay below 2^53, and the bits
 * that are always zero recognise a block of this key.
 */
const createBlocks = (secret: Buffer, siteId: number | null): Blocks => {
  const key = Buffer.from(hkdfSync('sha256', secret, '', `afterword ids ${siteId}`, KEY_BYTES))
  const cipher = createCipheriv('aes-128-ecb', key, null).setAutoPadding(false)
  const decipher = createDecipheriv('aes-128-ecb', key, null).setAutoPadding(false)
  const block = Buffer.alloc(BLOCK_BYTES)
  return {
    encrypt: ({ letter, threadId, id }) => {
      writeNumber(block, 0, threadId)
      block[0] = letter.charCodeAt(0)
      writeNumber(block, 8, id)
      return run(cipher, block).toString('base64url')
    },
    decrypt: (letter, text) => {
      const encoded = text.slice(1)
      if (!text.startsWith(letter) || !BLOCK.test(encoded)) return undefined
      const bytes = Buffer.from(encoded, 'base64url')
      // The last character has four bits to spare.
      if (bytes.toString('base64url') !== encoded) return undefined
      const plain = run(decipher, bytes)
      if (plain[0] !== letter.charCodeAt(0)) return undefined
      plain[0] = 0
      const threadId = readNumber(plain, 0)
      const id = readNumber(plain, 8)
      const isOurs = Number.isSafeInteger(threadId) && Number.isSafeInteger(id) && id > 0
      return isOurs ? { threadId, id } : undefined
    },
  }
}

const run = (cipher: Cipheriv | Decipheriv, block: Buffer): Buffer => cipher.update(block)

const HALF = 2 ** 32

const writeNumber = (block: Buffer, at: number, value: number): void => {
  block.writeUInt32BE(Math.floor(value / HALF), at)
  block.writeUInt32BE(value % HALF, at + 4)
}

const readNumber = (block: Buffer, at: number): number =>
  block.readUInt32BE(at) * HALF + block.readUInt32BE(at + 4)
