/** One immutable answer: its entity tag, the cursor of the page after it, and the body as it goes out. */
export type Page = { readonly etag: string; readonly next: string | null; readonly bytes: Buffer }

/**
 * What a page is called. The version is the thread's, so that a name never means two contents;
 * the variant is the canonical query and everything else that shapes the bytes.
 */
export type PageName = { site: number; thread: number; version: number; variant: string }

/** A second memory, shared by the nodes. It never rejects: a failure is `undefined`, or ignored. */
export type PageStore = {
  find: (name: PageName) => Promise<Page | undefined>
  insert: (name: PageName, page: Page) => Promise<void>
}
