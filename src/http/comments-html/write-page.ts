import { createHash } from 'node:crypto'
import { excerpt } from '../../domain/comment/excerpt.ts'
import { MAX_BODY_CODE_POINTS, MAX_NAME_CODE_POINTS } from '../../domain/comment/text.ts'
import { type Html, html, json, rendered } from '../wire/html.ts'
import type { Language } from './sentences.ts'

/** A branch as `listThread` returns it. */
export type Branch = {
  readonly id: string
  readonly author: {
    readonly id: string
    readonly name: string
    readonly url: string | null
    readonly avatar_url: string
    readonly role: string
  } | null
  readonly body_html: string | null
  readonly created_at: string
  readonly edited_at: string | null
  readonly score: number
  readonly upvotes: number
  readonly pinned: boolean
  readonly locked: boolean
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
  readonly reason: string | null
}

/** The description of an article by its own page. With one, search engines take the article for a post of a forum. */
export type Article = { readonly author: string; readonly date: string; readonly text: string }

export type Content = {
  readonly site: string
  readonly language: Language
  readonly thread: Thread
  readonly items: readonly Branch[]
  readonly next: string | null
  /** The places of the staff among the authors, by author id. */
  readonly staff: Readonly<Record<string, { readonly location: string | null }>>
  /** The first view, which the widget takes over. Undefined on later pages. */
  readonly state: object | undefined
  readonly loginUrl: string | null
  readonly emailRequired: boolean
  readonly hasVotes: boolean
  readonly hasAvatars: boolean
  readonly article: Article | undefined
  /** Proves that a form comes from a page of the service. */
  readonly stamp: string
  readonly replyTo: string | undefined
  readonly isBare: boolean
  /** Parameters that the address of the next page has besides its cursor. */
  readonly more: string
  readonly addresses: Addresses
}

/** The addresses of a thread without JavaScript, in the language of the request. */
export type Addresses = {
  /** The origin under which the request reached the service. */
  readonly service: string
  /** The whole page, to add parameters to. */
  readonly page: string
  readonly form: string
}

/** The comments of an article as HTML, for the page of the article or for a page of its own. */
export const writeFragment = (content: Content): Html => {
  const { site, language, thread, items, next, state, addresses } = content
  const named = classes(content)
  return html`<section${named('')} data-afterword="${site} ${thread.article_id}" lang="${language.lang}" dir="${language.dir}"><h2 id="comments">${headingOf(content)}</h2>
${items.length === 0 && html`<p>${language.t('empty')}</p>\n`}${writeList(content, items)}${next && html`<p><a rel="next" href="${addresses.page}${content.more}&amp;cursor=${next}">${language.t('more')}</a></p>\n`}${writeForm(content)}${thread.url && html`<script type="application/ld+json">${json(toLinkedData(content, thread.url))}</script>\n`}${state && html`<script type="application/json" data-afterword-state>${json(state)}</script>`}</section>`
}

export const headingOf = ({
  language: { t },
  thread: { title, comment_count: n },
}: Pick<Content, 'language' | 'thread'>): string =>
  title === null ? t('count', { n }) : t('count_on', { n, title })

const classes =
  ({ isBare }: Pick<Content, 'isBare'>) =>
  (name: string): Html | undefined =>
    isBare ? undefined : html` class="afterword${name && `-${name}`}"`

const writeList = (content: Content, items: readonly Branch[]): Html | undefined =>
  items.length === 0
    ? undefined
    : html`<ol role="list">${items.map((branch) => writeBranch(content, branch))}</ol>\n`

const writeBranch = (content: Content, branch: Branch): Html => {
  const { t } = content.language
  const { items, next_cursor: next, remaining: n } = branch.replies
  const more =
    next &&
    html`<li><a href="${content.addresses.page}&amp;parent=${branch.id}&amp;cursor=${next}" rel="nofollow">${t('more_replies', { n })}</a></li>`
  const replies = items.map((reply) => writeBranch(content, reply))
  const name = branch.author?.name
  const label = name === undefined ? t('replies_to_removed') : t('replies_to', { name })
  const hasReplies = items.length > 0 || more
  return html`<li>${writeComment(content, branch)}${hasReplies && html`<ol role="list" aria-label="${label}">${replies}${more}</ol>`}</li>\n`
}

const writeComment = (content: Content, { author, body_html: body, ...comment }: Branch): Html => {
  const named = classes(content)
  const { addresses, thread, language } = content
  const { t, time } = language
  if (!author || body === null)
    return html`<article id="${comment.id}"${named('removed')}><p>${t('removed')}</p></article>`
  const bdi = html`<bdi>${author.name}</bdi>`
  const name = author.url
    ? html`<a href="${author.url}" rel="nofollow ugc noopener noreferrer">${bdi}</a>`
    : bdi
  const isStaff = author.role !== 'reader'
  const location = content.staff[author.id]?.location
  const badges = [
    isStaff && t(`role.${author.role}`) + (location ? `, ${location}` : ''),
    comment.pinned && t('pinned'),
    comment.locked && t('locked'),
  ].map((badge) => html`${badge && html` <small${named('badge')}>${badge}</small>`}`)
  const link = thread.url ?? `${addresses.page}&focus=${comment.id}`
  const edited = comment.edited_at && html` <small>${t('edited')}</small>`
  const score =
    content.hasVotes &&
    comment.score !== 0 &&
    html` <small>${t('score', { n: comment.score })}</small>`
  const place = `&focus=${comment.id}&reply=${comment.id}#afterword-form`
  const reply =
    thread.may_post === 'anyone' &&
    html`<p><a href="${addresses.page}${place}" rel="nofollow" aria-label="${t('reply')}, ${author.name}">${t('reply')}</a></p>`
  return html`<article id="${comment.id}"${named('comment')}>${writeAvatar(content, author)}<h3>${name}${badges}</h3> <a href="${link}#${comment.id}"><time datetime="${comment.created_at}">${time(comment.created_at)}</time></a>${edited}${score}<div${named('body')} dir="auto">${rendered(body)}</div>${reply}</article>`
}

/** The attributes are those of the widget: another server never learns which page a reader has. */
const writeAvatar = (
  content: Content,
  { avatar_url: url }: NonNullable<Branch['author']>,
): Html | false => {
  const source = url.startsWith('/') ? content.addresses.service + url : url
  return (
    content.hasAvatars &&
    html`<img${classes(content)('avatar')} src="${source}" alt="" width="32" height="32" loading="lazy" decoding="async" referrerpolicy="no-referrer"> `
  )
}

export type Draft = { readonly name: string; readonly email: string; readonly body: string }

const writeForm = (content: Content): Html => {
  const { thread, language, loginUrl, addresses, stamp, replyTo, emailRequired } = content
  const { t } = language
  if (thread.may_post === 'nobody')
    return html`<p id="afterword-form">${t(`error.${thread.reason}`)}</p>\n`
  if (thread.may_post === 'members')
    return html`<p id="afterword-form">${t('error.login_required')}${loginUrl && html` <a href="${loginUrl}">${t('login')}</a>`}</p>\n`
  const heading = replyTo
    ? html`<h3>${t('reply')}: <a href="#${replyTo}">${t('parent')}</a></h3>`
    : undefined
  return html`<form id="afterword-form" method="post" accept-charset="utf-8" action="${addresses.form}">
${heading}${writeFields(language, { name: '', email: '', body: '' }, emailRequired)}
<p hidden><label>${t('trap')} <input name="website2" tabindex="-1" autocomplete="off"></label></p>
<input type="hidden" name="form" value="${stamp}"><button>${t('post')}</button></form>\n`
}

export const writeFields = (
  { t }: Language,
  { name, email, body }: Draft,
  emailRequired: boolean,
): Html =>
  html`<p><label>${t('name')} <input name="name" required maxlength="${MAX_NAME_CODE_POINTS}" autocomplete="nickname" value="${name}"></label></p>
${(emailRequired || email !== '') && html`<p><label>${t('email')} <input name="email" type="email" required autocomplete="email" value="${email}"></label></p>\n`}<p><label>${t('body')} <textarea name="body" required maxlength="${MAX_BODY_CODE_POINTS}" rows="6">
${body}</textarea></label></p>`

/**
 * The page of the article joins this by its address. A post of a forum needs an author, a date and a text, which the
 * thread does not know. Removed comments are left out, and their replies move up.
 */
const toLinkedData = ({ thread, items, article }: Content, url: string) => ({
  '@context': 'https://schema.org',
  '@id': url,
  url,
  ...(article
    ? {
        '@type': 'DiscussionForumPosting',
        ...(thread.title !== null && { headline: thread.title }),
        author: { '@type': 'Person', name: article.author },
        datePublished: article.date,
        text: article.text,
        interactionStatistic: {
          '@type': 'InteractionCounter',
          interactionType: 'https://schema.org/CommentAction',
          userInteractionCount: thread.comment_count,
        },
      }
    : { '@type': 'WebPage' }),
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
img { vertical-align: middle; border-radius: 50% }
[role=alert] { border-inline-start: .3rem solid; padding-inline-start: 1rem }`

const STYLE_SOURCE = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`

/** @param formTargets origins that a form of the page may lead to: browsers compare a redirect with them too */
export const policyOf = (formTargets: readonly string[]): string =>
  [
    "default-src 'none'",
    `style-src ${STYLE_SOURCE}`,
    "img-src 'self' https: data:",
    `form-action ${["'self'", ...formTargets].join(' ')}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ')

type PageParts = {
  readonly language: Language
  readonly title: string
  readonly canonical: string | null
  readonly main: Html
}

/** A whole page. Its own address is no page of the site, so search engines follow the article. */
export const writeWholePage = ({ language, title, canonical, main }: PageParts): string =>
  html`<!doctype html>
<html lang="${language.lang}" dir="${language.dir}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
${canonical && html`<link rel="canonical" href="${canonical}">\n`}<link rel="icon" href="data:,">
<style>${rendered(STYLE)}</style>
</head>
<body>
<main>${canonical && html`<p><a href="${canonical}">${language.t('back')}</a></p>\n`}${main}</main>
</body>
</html>
`.html
