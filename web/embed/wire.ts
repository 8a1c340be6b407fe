import type { components } from '../client/wire.d.ts'

/** The shapes of the API's answers that the widget uses: generated from the description of the API. */
type Schemas = components['schemas']

export type Author = Schemas['Author']
/** An own comment says until when its author can edit it. */
export type Comment = Schemas['Comment'] & Partial<Pick<Schemas['OwnComment'], 'editable_until'>>
export type Branch = Schemas['Branch']
export type Page = Schemas['RepliesPage']
export type Thread = Schemas['Thread']
export type Config = Schemas['SiteConfig']
export type StaffOf = NonNullable<Schemas['TreePage']['staff']>
export type Viewer = Schemas['Viewer']
export type Decided = Schemas['DecidedComment']
export type Statement = Schemas['Statement']
export type StaffMember = Schemas['Staff']
export type RecentComment = Schemas['RecentComment']
export type ErrorCode = Schemas['ErrorCode']
export type Posted = Schemas['PostedComment']

export type FirstPage = Required<Schemas['TreePage']> & {
  /** In a page that the service wrote: when, and in which order. */
  readonly at?: string
  readonly sort?: Config['default_sort']
}
