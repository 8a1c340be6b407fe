/** Content encodings that pages are kept in, best first. */
export const ENCODINGS = ['br', 'gzip', 'identity'] as const
export type Encoding = (typeof ENCODINGS)[number]

/** One immutable answer: its entity tag, the cursor of the page after it, and the body as it goes out. */
export type Page = {
  readonly etag: string
  readonly next: string | null
  readonly encoding: Encoding
  readonly bytes: Buffer
  /** Postgres could not be asked whether it is still the newest; nothing says that it is not. */
  readonly isUnconfirmed?: true
}

/**
 * What a page is called. The version is the thread's, so that a name never means two contents;
 * the variant is the canonical query and everything else that shapes the bytes.
 */
export type PageName = {
  readonly site: number
  readonly thread: number
  readonly version: number
  readonly variant: string
}

/** A second memory, shared by the nodes. It never rejects: a failure is `undefined`, or ignored. */
export type PageStore = {
  find: (name: PageName, encoding: Encoding) => Promise<Page | undefined>
  insert: (name: PageName, page: Page) => Promise<void>
}
