type Token = string | null | undefined | (() => Token | Promise<Token>)

/** The properties of every tag; each is an attribute too, with hyphens. */
interface AfterwordElement extends HTMLElement {
  service: string | null
  site: string | null
  theme: string | null
  /** Sentences that the page replaces, or a language that it brings, by key. */
  messages?: Readonly<Record<string, string>> | string | null
}

export interface AfterwordThread extends AfterwordElement {
  article: string | null
  sort: string | null
  limit: string | null
  depth: string | null
  replies: string | null
  density: string | null
  loading: string | null
  headingLevel: string | null
  avatars: string | null
  keys: string | null
  fallback: string | null
  tokenUrl: string | null
  loginUrl: string | null
  /** The token of the member, or a function that returns it. */
  token?: Token
  /** The thread and the reader's own data, as the API describes them. */
  readonly thread?: Readonly<Record<string, unknown>>
  readonly viewer?: Readonly<Record<string, unknown>>
  reload(): Promise<unknown>
  focusComment(id: string): Promise<unknown>
  write(text?: string): Promise<unknown>
  load(article: string): void
}

export interface AfterwordCount extends AfterwordElement {
  article: string | null
  format: string | null
  zero: string | null
}

export interface AfterwordRecent extends AfterwordElement {
  limit: string | null
  excerpt: string | null
  parent: string | null
  loading: string | null
  headingLevel: string | null
  reload(): Promise<unknown>
}

export interface AfterwordStaff extends AfterwordElement {
  roles: string | null
  loading: string | null
  headingLevel: string | null
  avatars: string | null
  reload(): Promise<unknown>
}

declare global {
  interface HTMLElementTagNameMap {
    'afterword-thread': AfterwordThread
    'afterword-count': AfterwordCount
    'afterword-recent': AfterwordRecent
    'afterword-staff': AfterwordStaff
  }
}
