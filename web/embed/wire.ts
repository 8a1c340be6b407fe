/** The part of the API's answers that the widget uses. */

export type Author = {
  readonly id: string
  readonly name: string
  readonly url: string | null
  readonly avatar_url: string | null
  readonly role: 'reader' | 'contributor' | 'moderator' | 'owner'
  readonly kind: 'guest' | 'member'
}

export type Comment = {
  readonly id: string
  readonly parent_id: string | null
  readonly depth: number
  readonly author: Author | null
  readonly body: string | null
  readonly body_html: string | null
  readonly status: 'pending' | 'approved' | 'spam' | 'rejected' | 'deleted'
  readonly revision: number
  readonly created_at: string
  readonly edited_at: string | null
  readonly score: number
  readonly pinned: boolean
  readonly locked: boolean
  readonly reply_count: number
  readonly editable_until?: string | null
}

export type Page = { readonly items: readonly Branch[]; readonly next_cursor: string | null }
export type Branch = Comment & { readonly replies?: Page & { readonly remaining: number } }

export type Thread = {
  readonly article_id: string
  readonly title: string | null
  readonly state: 'open' | 'closed' | 'locked' | 'hidden'
  readonly comment_count: number
  readonly closes_at: string | null
  readonly version: number
  readonly may_post?: 'anyone' | 'members' | 'nobody'
  readonly reason?: string | null
}

export type Config = {
  readonly moderation: 'post' | 'pre'
  readonly who_may_post: 'anyone' | 'members' | 'nobody'
  readonly voting: 'all' | 'up' | 'off'
  readonly email_required: boolean
  readonly min_body_length: number
  readonly max_body_length: number
  readonly max_name_length: number
  readonly login_url: string | null
  readonly max_depth: number
  readonly flag_reasons: readonly string[]
  readonly sorts: readonly string[]
  readonly default_sort: string
}

export type StaffOf = Readonly<
  Record<string, { readonly roles: readonly string[]; readonly location: string | null }>
>

export type FirstPage = Page & {
  readonly thread: Thread
  readonly config: Config
  readonly staff: StaffOf
  /** In a page that the service wrote: when, and in which order. */
  readonly at?: string
  readonly sort?: string
}

export type Viewer = {
  readonly author: Author | null
  readonly may_post: boolean
  readonly reason: string | null
  readonly may_post_at: string | null
  readonly now?: string
  readonly votes: Readonly<Record<string, number>>
  readonly pending: readonly Comment[]
  /** The end of the edit window of each published comment that the reader can edit. */
  readonly editable?: Readonly<Record<string, string>>
  readonly decided?: readonly Decided[]
}

/** An own comment that others turned down. */
export type Decided = {
  readonly id: string
  readonly decision: {
    readonly by: Statement['decided_by']
    readonly reason: string | null
    readonly note: string | null
    readonly at: string
  }
  readonly may_appeal: boolean
}

export type Statement = {
  readonly status: 'published' | 'held' | 'removed'
  readonly decided_by: 'rules' | 'moderator' | 'readers' | 'author'
  readonly ground: {
    readonly reason: string | null
    readonly rules: readonly { readonly rule: string }[]
  }
  readonly appeal: {
    readonly outcome: 'upheld' | 'overturned' | null
    readonly note: string | null
  } | null
  readonly may_appeal: boolean
}

export type StaffMember = {
  readonly name: string
  readonly location: string | null
  readonly url: string | null
  readonly avatar_url: string | null
  readonly roles: readonly string[]
}

export type RecentComment = Comment & {
  readonly excerpt?: string
  readonly article: {
    readonly id: string
    readonly title: string | null
    readonly url: string | null
  }
}
