import { foldText } from './folding/fold-text.ts'
import { GAP, lookOf, unitOf } from './folding/letter-codes.ts'

/** Letters that readers take for each other, beyond those that folding equates. Source: UTS #39, confusables. */
const MERGED: readonly (readonly [RegExp, string])[] = [
  [/i/g, 'l'],
  [/rn/g, 'm'],
  [/vv/g, 'w'],
]

/**
 * A text that two names share if readers could take one for the other: without case, accents, spaces, punctuation
 * and invisible characters, and with look-alikes of other alphabets and digits as Latin letters. Undefined if
 * nothing is left.
 */
export const skeletonOf = (name: string): string | undefined => {
  const { letters, length } = foldText(name)
  const kept = Array.from({ length }, (_, at) => letters[at]!)
    .filter((letter) => !(letter & GAP))
    .map((letter) => String.fromCharCode(lookOf(letter) || unitOf(letter)))
    .join('')
  const skeleton = MERGED.reduce((text, [from, to]) => text.replace(from, to), kept)
  return skeleton === '' ? undefined : skeleton
}
