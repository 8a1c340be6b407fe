import { RENDERER_VERSION, renderMarkdown } from '../../src/domain/comment/markdown.ts'
import { createRandom } from '../random.ts'

const WORDS =
  `the of and to in a is that for it as was with be by on not he his but at are this have
from or had an they which one you were all her she there would their we him been has when who will no
more if out so up said what its about than into them can only other time new some could these two may
first then do any like my now over such our man me even most made after also did many off before must
well back through years much where your way down should because long each just state people those too
article author paragraph reader argument source figure number example question answer reason problem
agree disagree wonder remember believe understand suggest notice mention explain compare measure`
    .split(/\s+/)
    .filter(Boolean)

const TEXTS = 1_000
const LEAST_LENGTH = 30
const MOST_LENGTH = 210

export type Text = { readonly body: string; readonly html: string }
export { RENDERER_VERSION }

/** Texts of 120 characters on average, rendered as the service does. */
export const writeTexts = (): Text[] => {
  const random = createRandom(1)
  const write = (): Text => {
    const length = LEAST_LENGTH + random() * (MOST_LENGTH - LEAST_LENGTH)
    const words: string[] = []
    for (let written = 0; written < length; written += words.at(-1)!.length + 1)
      words.push(WORDS[Math.floor(random() * WORDS.length)]!)
    const text = words.join(' ')
    const body = `${text[0]!.toUpperCase()}${text.slice(1)}.`
    return { body, html: renderMarkdown(body) }
  }
  return Array.from({ length: TEXTS }, write)
}
