import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import {
  COMMENT_LETTER,
  type CommentKey,
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
const BLOCK_CHARACTERS = 22
const SPACED_BYTES = 18
const SPACED_CHARACTERS = 24
const BLOCK = /^[\w-]{22}$/
const KEY_BYTES = 16
/** Per kind. A page of a busy thread is built many times, and encrypting an id costs more than finding it. */
const MAX_REMEMBERED = 10_000
const MAX_SITES = 10_000

/** `secret` must never change: links contain ids. It protects no right, so a leak makes no change necessary. */
export const createPublicIds = (secret: Buffer, service = ''): PublicIdsOf => {
  const letters = [COMMENT_LETTER, ...Object.values(LETTERS)]
  const remembered: Remembered = new Map(letters.map((letter) => [letter, new Map()]))
  const sites = new Map<number | null, PublicIds>()
  const ofAllSites = createBlocks(secret, null)
  return (siteId) => {
    const known = sites.get(siteId)
    if (known) return known
    const created = createIdsOfSite({ siteId, secret, service, ofAllSites, remembered })
    return remember(sites, MAX_SITES, siteId, created)
  }
}

/** The ids of each kind by number; another site or thread can have the same number. */
type Remembered = ReadonlyMap<string, Map<number, RememberedId>>
type RememberedId = Named & { readonly siteId: number | null; readonly text: string }

type Parts = {
  readonly siteId: number | null
  readonly secret: Buffer
  readonly service: string
  readonly ofAllSites: Blocks
  readonly remembered: Remembered
}

const createIdsOfSite = ({ siteId, secret, service, ofAllSites, remembered }: Parts): PublicIds => {
  const ofSite = siteId === null ? ofAllSites : createBlocks(secret, siteId)
  const blocksOf = (kind: IdKind): Blocks => (OF_ALL_SITES.has(kind) ? ofAllSites : ofSite)

  const find = ({ letter, threadId, id }: Named): string | undefined => {
    const found = remembered.get(letter)!.get(id)
    return found?.siteId === siteId && found.threadId === threadId ? found.text : undefined
  }
  const writeAll = (all: readonly Named[], blocks: Blocks): string[] => {
    const texts = blocks.encrypt(all)
    return all.map((named, i) => {
      const text = named.letter + texts[i]!
      const ids = remembered.get(named.letter)!
      return remember(ids, MAX_REMEMBERED, named.id, { ...named, siteId, text }).text
    })
  }
  const writeOnce = (named: Named, blocks: Blocks): string =>
    find(named) ?? writeAll([named], blocks)[0]!

  return {
    service,
    write: (kind, id) => writeOnce({ letter: LETTERS[kind], threadId: 0, id }, blocksOf(kind)),
    read: (kind, text) => {
      const found = blocksOf(kind).decrypt(LETTERS[kind], text)
      return found?.threadId === 0 ? found.id : undefined
    },
    writeComment: (key) => writeOnce(nameComment(key), ofSite),
    prepareComments: (comments) => {
      const named = comments.flatMap((comment) => [
        nameComment(comment),
        { letter: LETTERS.author, threadId: 0, id: comment.author.id },
      ])
      const unknown = named.filter((one) => find(one) === undefined)
      if (unknown.length > 0) writeAll(unknown, ofSite)
    },
    readComment: (text) => {
      const found = ofSite.decrypt(COMMENT_LETTER, text)
      return found && found.threadId > 0 ? found : undefined
    },
  }
}

const nameComment = (key: CommentKey): Named => ({
  letter: COMMENT_LETTER,
  threadId: homeThreadIdOf(key),
  id: key.id,
})

const remember = <K, V>(map: Map<K, V>, max: number, key: K, value: V): V => {
  if (map.size >= max) map.clear()
  map.set(key, value)
  return value
}

type Named = { readonly letter: string; readonly threadId: number; readonly id: number }

type Blocks = {
  /** Encrypts ids together: one call of the cipher costs more than many blocks. */
  readonly encrypt: (all: readonly Named[]) => string[]
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
  return {
    encrypt: (all) => {
      const blocks = Buffer.alloc(all.length * BLOCK_BYTES)
      for (const [i, { letter, threadId, id }] of all.entries()) {
        const at = i * BLOCK_BYTES
        writeNumber(blocks, at, threadId)
        blocks[at] = letter.charCodeAt(0)
        writeNumber(blocks, at + 8, id)
      }
      return encodeBlocks(cipher.update(blocks))
    },
    decrypt: (letter, text) => {
      const encoded = text.slice(1)
      if (!text.startsWith(letter) || !BLOCK.test(encoded)) return undefined
      const bytes = Buffer.from(encoded, 'base64url')
      // The last character has four bits to spare.
      if (bytes.toString('base64url') !== encoded) return undefined
      const plain = decipher.update(bytes)
      if (plain[0] !== letter.charCodeAt(0)) return undefined
      plain[0] = 0
      const threadId = readNumber(plain, 0)
      const id = readNumber(plain, 8)
      const isOurs = Number.isSafeInteger(threadId) && Number.isSafeInteger(id) && id > 0
      return isOurs ? { threadId, id } : undefined
    },
  }
}

/** Encodes blocks in one text. Three bytes are four characters, so each block gets two bytes to spare. */
const encodeBlocks = (blocks: Buffer): string[] => {
  const count = blocks.length / BLOCK_BYTES
  const spaced = Buffer.alloc(count * SPACED_BYTES)
  for (let i = 0; i < count; i++)
    blocks.copy(spaced, i * SPACED_BYTES, i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES)
  const text = spaced.toString('base64url')
  return Array.from({ length: count }, (_, i) =>
    text.slice(i * SPACED_CHARACTERS, i * SPACED_CHARACTERS + BLOCK_CHARACTERS),
  )
}

const HALF = 2 ** 32

const writeNumber = (block: Buffer, at: number, value: number): void => {
  block.writeUInt32BE(Math.floor(value / HALF), at)
  block.writeUInt32BE(value % HALF, at + 4)
}

const readNumber = (block: Buffer, at: number): number =>
  block.readUInt32BE(at) * HALF + block.readUInt32BE(at + 4)
