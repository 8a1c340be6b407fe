/** A kind of emphasis that Markdown can say. */
export type Emphasis = 'strong' | 'em' | 'del'

/** A piece of a paragraph in which nothing changes. A line break is a run with the text `\n`. */
export type Run = {
  text: string
  readonly marks: readonly Emphasis[]
  /** An allowed link target; empty: no link. */
  readonly href: string
  readonly isCode: boolean
}

export type Block =
  | { readonly kind: 'paragraph'; readonly runs: Run[] }
  | { readonly kind: 'code'; text: string; readonly language: string }
  | { readonly kind: 'rule' }
  | { readonly kind: 'quote'; readonly blocks: Block[] }
  | {
      readonly kind: 'list'
      readonly start: number | null
      isLoose: boolean
      readonly items: Block[][]
    }
