import { Tokenizer, TokenParser } from '@streamparser/json'
import { UnreadableFile } from './unreadable-file.ts'

const MAX_DEPTH = 100
/** The largest comment or thread of a file. The reader keeps one in memory. */
const MAX_VALUE_BYTES = 16 * 2 ** 20
/** A number takes more memory than it has digits. */
const MAX_VALUE_TOKENS = 1_000_000

/** A value of the file, and the keys that lead to it. */
export type JsonValue = { readonly path: readonly (string | number)[]; readonly value: unknown }

type Wanted = {
  /** Selectors such as `$.comments.*`. */
  readonly paths: readonly string[]
  readonly take: (value: JsonValue) => void
}

export type JsonReader = {
  readonly write: (text: string) => void
  readonly end: () => void
  /** Refuses the file at the place that was read last. */
  readonly refuse: (sentence: string) => never
}

const OPENING = new Set(['{', '['])
const CLOSING = new Set(['}', ']'])

/** Reads one JSON document, or many that follow each other, and hands over the wanted values. */
export const createJsonReader = ({ paths, take }: Wanted): JsonReader => {
  const tokenizer = new Tokenizer({ separator: '' })
  const tokens = new TokenParser({ paths: [...paths], keepStack: false, separator: '' })
  const place = createPlace()
  let depth = 0
  let offset = 0
  let lastTakenAt = 0
  let tokenCount = 0

  const refuse = (sentence: string): never => {
    throw new UnreadableFile(sentence, ...place.of(offset))
  }
  const guard = (run: () => void): void => {
    try {
      run()
    } catch (error) {
      if (error instanceof UnreadableFile || !isOfParser(error)) throw error
      offset = Math.max(offset, (tokenizer as unknown as { offset: number }).offset)
      refuse('The file is not valid JSON here.')
    }
  }
  const throwIt = (error: Error): never => {
    throw error
  }
  tokenizer.onError = throwIt
  tokens.onError = throwIt
  tokenizer.onToken = (token) => {
    offset = token.offset
    if (typeof token.value === 'string' && OPENING.has(token.value) && token.token < 4) depth++
    if (typeof token.value === 'string' && CLOSING.has(token.value) && token.token < 4) depth--
    if (depth > MAX_DEPTH) refuse(`Values nest deeper than ${MAX_DEPTH} levels.`)
    if (offset - lastTakenAt > MAX_VALUE_BYTES || ++tokenCount > MAX_VALUE_TOKENS)
      refuse(`A value is larger than ${MAX_VALUE_BYTES} bytes.`)
    tokens.write(token)
  }
  tokens.onValue = ({ value, key, stack }) => {
    lastTakenAt = offset
    tokenCount = 0
    const keys = [...stack.slice(1).map((one) => one.key), key]
    take({ path: keys.filter((one) => one !== undefined), value })
  }
  return {
    write: (text) => {
      const bytes = place.add(text)
      guard(() => tokenizer.write(bytes))
      if (place.end() - lastTakenAt > 2 * MAX_VALUE_BYTES) {
        offset = place.end()
        refuse(`A value is larger than ${MAX_VALUE_BYTES} bytes.`)
      }
    },
    end: () => {
      offset = place.end()
      if (depth > 0) refuse('The file is cut off: its last value does not end.')
      guard(() => {
        if (!tokenizer.isEnded) tokenizer.end()
        if (!tokens.isEnded) tokens.end()
      })
    },
    refuse,
  }
}

const isOfParser = (error: unknown): boolean =>
  error instanceof Error && /^Token(?:izer|Parser)Error$|^Error$/.test(error.constructor.name)

/** Knows the line and the column of a byte in the chunk that came last. */
const createPlace = () => {
  const encoder = new TextEncoder()
  let chunk = new Uint8Array(0)
  let chunkAt = 0
  let linesBefore = 0
  let columnsBefore = 0

  const placeIn = (end: number): [number, number] => {
    const text = new TextDecoder().decode(chunk.subarray(0, Math.max(0, end)))
    const lines = text.split('\n')
    const column = lines.at(-1)!.length
    return [linesBefore + lines.length, lines.length === 1 ? columnsBefore + column : column]
  }
  return {
    add: (text: string): Uint8Array => {
      const [line, column] = placeIn(chunk.length)
      linesBefore = line - 1
      columnsBefore = column
      chunkAt += chunk.length
      chunk = encoder.encode(text)
      return chunk
    },
    end: (): number => chunkAt + chunk.length,
    of: (offset: number): [number, number] => placeIn(offset - chunkAt + 1),
  }
}
