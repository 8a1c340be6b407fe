let segmenter: Intl.Segmenter | undefined

/** Splits a text into graphemes. Made on first use, because the rules of graphemes take 10 ms to load. */
export const graphemesOf = (text: string): Intl.Segments => {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' })
  return segmenter.segment(text)
}
