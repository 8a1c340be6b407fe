import { createHash } from 'node:crypto'
import { excerpt } from '../../domain/comment/excerpt.ts'
import { MAX_BODY_CODE_POINTS, MAX_NAME_CODE_POINTS } from '../../domain/comment/text.ts'
import type { RefusalCode } from '../../domain/refusal.ts'
import { type Html, html, json, rendered } from '../wire/html.ts'

/** A branch as `listThread` returns it. */
export type Branch = {
  readonly id: string
  readonly author: { name: string; url: string | null; role: string } | null
  readonly body_html: string | null
  readonly created_at: string
  readonly edited_at: string | null
  readonly upvotes: number
  readonly replies: {
    readonly items: readonly Branch[]
    readonly next_cursor: string | null
    readonly remaining: number
  }
}

type Thread = {
  readonly article_id: string
  readonly title: string | null
  readonly url: string | null
  readonly comment_count: number
  readonly may_post: string
  readonly reason: RefusalCode | null
}

export type Content = {
  readonly site: string
  readonly thread: Thread
  readonly items: readonly Branch[]
  readonly next: string | null
  /** The first view, which the widget takes over. Undefined on later pages. */
  readonly state: object | undefined
  readonly loginUrl: string | null
  readonly emailRequired: boolean
  /** Proves that a form comes from a page of the service. */
  readonly stamp: string
  readonly replyTo: string | undefined
  readonly isBare: boolean
  /** Parameters that the address of the next page has besides its cursor. */
  readonly more: string
  /** The address of this page without its query, and of the form. */
  readonly address: string
}

const DATE = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'long',
  timeStyle: 'short',
  timeZone: 'UTC',
})
const ROLES: Record<string, string> = {
  contributor: 'Contributor',
  moderator: 'Moderator',
  owner: 'Owner',
}

const count = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`

/** The comments of an article as HTML, for the page of the article or for a page of its own. */
export const writeFragment = (content: Content): Html => {
  const { site, thread, items, next, state, address } = content
  const named = classes(content)
  return html`<section${named('')} data-afterword="${site} ${thread.article_id}" lang="en"><h2 id="comments">${count(thread.comment_count, 'Comment', 'Comments')}</h2>
${writeList(content, items)}${next && html`<p><a rel="next" href="${address}?page=1${content.more}&amp;cursor=${next}">More comments</a></p>\n`}${writeForm(content)}${thread.url && html`<script type="application/ld+json">${json(toLinkedData(thread, thread.url, items))}</script>\n`}${state && html`<script type="application/json" data-afterword-state>${json(state)}</script>`}</section>`
}

const classes =
  ({ isBare }: Pick<Content, 'isBare'>) =>
  (name: string): Html | undefined =>
    isBare ? undefined : html` class="afterword${name && `-${name}`}"`

const writeList = (content: Content, items: readonly Branch[]): Html | undefined =>
  items.length === 0
    ? undefined
    : html`<ol role="list">${items.map((branch) => writeBranch(content, branch))}</ol>\n`

const writeBranch = (content: Content, branch: Branch): Html => {
  const { items, next_cursor: next, remaining } = branch.replies
  const more =
    next &&
    html`<li><a href="${content.address}?page=1&amp;parent=${branch.id}&amp;cursor=${next}" rel="nofollow">${count(remaining, 'more reply', 'more replies')}</a></li>`
  const replies = items.map((reply) => writeBranch(content, reply))
  const hasReplies = items.length > 0 || more
  return html`<li>${writeComment(content, branch)}${hasReplies && html`<ol role="list">${replies}${more}</ol>`}</li>\n`
}

const writeComment = (content: Content, { author, body_html: body, ...comment }: Branch): Html => {
  const named = classes(content)
  if (!author || body === null)
    return html`<article id="${comment.id}"${named('removed')}><p>This comment was removed.</p></article>`
  const { address, thread } = content
  const name = author.url
    ? html`<a href="${author.url}" rel="nofollow ugc noopener noreferrer"><bdi>${author.name}</bdi></a>`
    : html`<bdi>${author.name}</bdi>`
  const role = ROLES[author.role]
  const link = thread.url ?? `${address}?page=1&focus=${comment.id}`
  const time = html`<time datetime="${comment.created_at}">${DATE.format(new Date(comment.created_at))} UTC</time>`
  const edited = comment.edited_at && html` <small>edited</small>`
  const reply =
    thread.may_post === 'anyone' &&
    html`<p><a href="${address}?page=1&amp;reply=${comment.id}#afterword-form" rel="nofollow" aria-label="Reply to ${author.name}">Reply</a></p>`
  return html`<article id="${comment.id}"${named('comment')}><h3>${name}${role && html` <small${named('badge')}>${role}</small>`}</h3> <a href="${link}#${comment.id}">${time}</a>${edited}<div${named('body')} dir="auto">${rendered(body)}</div>${reply}</article>`
}

const CLOSED: Partial<Record<RefusalCode, string>> = {
  thread_closed: 'Comments are closed.',
  thread_locked: 'This thread is locked.',
  posting_disabled: 'Comments are switched off.',
  site_closed: 'Comments are closed.',
}

export type Draft = { readonly name: string; readonly email: string; readonly body: string }

const writeForm = (content: Content): Html => {
  const { thread, loginUrl, address, stamp, replyTo, emailRequired } = content
  if (thread.may_post === 'nobody')
    return html`<p id="afterword-form">${CLOSED[thread.reason!] ?? 'Comments are closed.'}</p>\n`
  if (thread.may_post === 'members')
    return html`<p id="afterword-form">You must be logged in to post a comment.${loginUrl && html` <a href="${loginUrl}">Log in</a>`}</p>\n`
  const heading = replyTo
    ? html`<h3>Reply to <a href="#${replyTo}">this comment</a></h3>`
    : undefined
  return html`<form id="afterword-form" method="post" action="${formAddress(address)}">
${heading}${writeFields({ name: '', email: '', body: '' }, emailRequired)}
<p hidden><label>Leave empty <input name="website2" tabindex="-1" autocomplete="off"></label></p>
<input type="hidden" name="form" value="${stamp}"><button>Post</button></form>\n`
}

export const formAddress = (address: string): string => address.replace(/html$/, 'form')

export const writeFields = ({ name, email, body }: Draft, emailRequired: boolean): Html =>
  html`<p><label>Name <input name="name" required maxlength="${MAX_NAME_CODE_POINTS}" autocomplete="nickname" value="${name}"></label></p>
${(emailRequired || email !== '') && html`<p><label>E-mail (not shown) <input name="email" type="email" required autocomplete="email" value="${email}"></label></p>\n`}<p><label>Comment <textarea name="body" required maxlength="${MAX_BODY_CODE_POINTS}" rows="6">
${body}</textarea></label></p>`

/** The page of the article joins this by its address. Removed comments are left out, and their replies move up. */
const toLinkedData = (thread: Thread, url: string, items: readonly Branch[]) => ({
  '@context': 'https://schema.org',
  '@type': 'WebPage',
  '@id': url,
  url,
  commentCount: thread.comment_count,
  comment: items.flatMap((branch) => toComments(url, branch)),
})

const MAX_TEXT = 20_000

const toComments = (url: string, { id, author, body_html: body, ...branch }: Branch): object[] => {
  const replies = branch.replies.items.flatMap((reply) => toComments(url, reply))
  if (!author || body === null) return replies
  const comment = {
    '@type': 'Comment',
    '@id': `${url}#${id}`,
    url: `${url}#${id}`,
    author: { '@type': 'Person', name: author.name, ...(author.url && { url: author.url }) },
    datePublished: branch.created_at,
    ...(branch.edited_at && { dateModified: branch.edited_at }),
    text: excerpt(body, MAX_TEXT),
    upvoteCount: branch.upvotes,
    ...(replies.length > 0 && { comment: replies }),
  }
  return [comment]
}

const STYLE = `
:root { color-scheme: light dark }
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere }
ol { list-style: none; padding-inline-start: 0 } ol ol { padding-inline-start: 1.5rem }
h3 { display: inline; font-size: 1rem } input, textarea { font: inherit; box-sizing: border-box; width: 100% }
[role=alert] { border-inline-start: .3rem solid; padding-inline-start: 1rem }`

const STYLE_SOURCE = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`

/** @param formTargets origins that a form of the page may lead to: browsers compare a redirect with them too */
export const policyOf = (formTargets: readonly string[]): string =>
  [
    "default-src 'none'",
    `style-src ${STYLE_SOURCE}`,
    'img-src data:',
    `form-action ${["'self'", ...formTargets].join(' ')}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ')

type PageParts = { readonly title: string; readonly canonical: string | null; readonly main: Html }

/** A whole page. Its own address is no page of the site, so search engines follow the article. */
export const writeWholePage = ({ title, canonical, main }: PageParts): string =>
  html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
${canonical && html`<link rel="canonical" href="${canonical}">\n`}<link rel="icon" href="data:,">
<style>${rendered(STYLE)}</style>
</head>
<body>
<main>${canonical && html`<p><a href="${canonical}">Back to the article</a></p>\n`}${main}</main>
</body>
</html>
`.html
