import type { Thread, Viewer } from './wire.ts'

/** The types that the loader, which knows the tags, shares with the views, which draw them. */

/** Pages also write `pt_BR`, and names that are no language: an empty text then, since `Intl` refuses these. */
export const toLanguage = (name: string | null | undefined): string => {
  try {
    return Intl.getCanonicalLocales(name?.replaceAll('_', '-'))[0] ?? ''
  } catch {
    return ''
  }
}

/** Sentences of the interface by key, with `{name}` as the place of a value. */
export type Messages = Readonly<Record<string, string>>

/** The scripts of the widget by name. */
export type Load = (name: 'thread' | 'lists' | 'count' | 'editor' | 'dialogs') => Promise<unknown>

/** The place that the tags were loaded from. */
export type Source = {
  readonly service: string
  /** Loads the script of what the reader does first. */
  readonly load: Load
  /** Undefined for English, which the view brings along, and for languages that the widget does not speak. */
  readonly loadMessages: (lang: string) => Promise<Messages | undefined>
}

/** The article and the language of a tag, and the way to their data. */
export type Place = Source & {
  readonly site: string
  readonly article: string
  /** The language of the page; empty if it names none. */
  readonly lang: string
  /** The `fetch` of the page, taken when the loader began. */
  readonly fetch: typeof fetch
}

/** Requests that the loader prepares while the script of the view is on its way. */
export type Start = Place & {
  readonly kind: 'thread' | 'recent' | 'staff'
  readonly messages: Promise<Messages | undefined>
  /** The first answer of the service, on its way. Undefined if the view asks for itself. */
  readonly first: Promise<Response> | undefined
}

/** A drawn tag. */
export type View = {
  readonly close: () => void
  readonly reload?: () => unknown
  readonly focusComment?: (id?: string) => unknown
  readonly write?: (text?: string) => unknown
}

export type Mount = (host: HTMLElement, start: Start) => View | Promise<View>

/** A token of a member, or where it comes from. */
export type Token = string | null | undefined | (() => Token | Promise<Token>)

/** A tag with the properties that the views read. */
export type Host = HTMLElement & {
  token?: Token
  messages?: Messages | string | null
  /** Set by the view: the thread and the reader's own data as the service gave them. */
  thread?: Thread | undefined
  viewer?: Viewer | undefined
}
