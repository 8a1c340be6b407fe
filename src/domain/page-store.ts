/** Content encodings of cached pages, best first. */
export const ENCODINGS = ['br', 'gzip', 'identity'] as const
export type Encoding = (typeof ENCODINGS)[number]

/** One immutable response: its entity tag, the cursor of the next page or null, and the encoded body. */
export type Page = {
  readonly etag: string
  readonly next: string | null
  readonly encoding: Encoding
  readonly bytes: Buffer
  /** True if Postgres did not answer whether the page is still current. Its cache token is unchanged. */
  readonly isUnconfirmed?: true
}

/** Reads a page. Known requests keep the function, so it must not contain the request that it came with. */
export type ReadPage = (encoding: Encoding) => Promise<Page>

/**
 * Names one page content for ever: `version` is the version of the thread, `variant` is the canonical
 * query and everything else that shapes the bytes.
 */
export type PageName = {
  readonly site: number
  readonly thread: number
  readonly version: number
  readonly variant: string
}

/** A page store shared by the nodes. It never rejects: a failure is `undefined`, or is ignored. */
export type PageStore = {
  find: (name: PageName, encoding: Encoding) => Promise<Page | undefined>
  insert: (name: PageName, page: Page) => Promise<void>
}
