import { siteAddress, withQuery } from './addresses.ts'
import { createCall, persist } from './call.ts'
import { dress } from './styles.ts'
import { type Language, openLanguage } from './texts.ts'
import type { Host, Mount, View } from './view.ts'
import type { RecentComment, StaffMember } from './wire.ts'

/** The tags that show one list of the site. They have no state, so that plain elements are enough. */

const RECENT = 5
const EXCERPT = 100
const MAX_STAFF = 100
const ROLES = { contributor: 'contributors', moderator: 'moderators', owner: 'owners' } as const

export const mount: Mount = async (host: Host, start) => {
  const { service, site, kind } = start
  const language = await openLanguage(host, start, start.messages)
  const call = createCall(start.fetch)
  const read = async <T>(path: string, query: Record<string, string | number | null>) => {
    const address = withQuery(`${siteAddress(service, site)}/${path}`, query)
    return (await persist(() => call<{ items: T[] }>({ address }))).body.items
  }
  const drawing = { host, service, ...language }
  const draw = async (): Promise<Element[]> => {
    if (kind === 'staff') return drawStaff(drawing, await read('staff', { limit: MAX_STAFF }))
    const query = {
      limit: host.getAttribute('limit') ?? RECENT,
      excerpt: host.getAttribute('excerpt') ?? EXCERPT,
      parent: host.getAttribute('parent'),
    }
    return drawRecent(drawing, await read('comments', query))
  }
  const reload = async (): Promise<void> => {
    const drawn = await draw().catch((error) => {
      console.error('afterword:', error)
      return [element('p', { class: 'notice', role: 'alert' }, language.t('failed'))]
    })
    const direction = language.dir && { dir: language.dir }
    dress(host).replaceChildren(element('div', { lang: language.lang, ...direction }, ...drawn))
  }
  await reload()
  return { close: () => host.shadowRoot?.replaceChildren(), reload } satisfies View
}

type Drawing = Language & { readonly host: Host; readonly service: string }

/** Texts become text nodes: nothing here parses HTML. */
const element = (
  tag: string,
  attributes: Readonly<Record<string, string>>,
  ...children: (Node | string | null)[]
): HTMLElement => {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children.filter((child) => child !== null))
  return made
}

const bdi = (text: string | null | undefined): Node => element('bdi', {}, text ?? '')

const heading = (host: Host, id: string, text: string): HTMLElement =>
  element(`h${host.getAttribute('heading-level') ?? 2}`, { id, part: 'heading' }, text)

/** A list without marks is announced as a list because of its role. */
const list = (items: readonly Node[]): HTMLElement =>
  element('ul', { role: 'list', class: 'list', part: 'list' }, ...items)

const isWeb = (address: string | null): address is string =>
  address !== null && /^https?:/i.test(address)

const drawRecent = ({ host, t, times }: Drawing, items: readonly RecentComment[]): Element[] => [
  element(
    'section',
    { 'aria-labelledby': 'recent' },
    heading(host, 'recent', t('recent')),
    items.length === 0
      ? element('p', { class: 'empty' }, t('empty'))
      : list(
          items.map(({ id, author, article, created_at: at, excerpt }) =>
            element(
              'li',
              { class: 'recent', part: 'comment' },
              element('b', { part: 'author' }, bdi(author?.name)),
              ' ',
              isWeb(article.url)
                ? element(
                    'a',
                    { href: `${article.url}#${id}`, title: article.title ?? '', part: 'excerpt' },
                    bdi(excerpt),
                  )
                : element('span', { part: 'excerpt' }, bdi(excerpt)),
              ' ',
              element('time', { datetime: at, class: 'muted', part: 'time' }, times.ago(at)),
            ),
          ),
        ),
  ),
]

const drawStaff = (drawing: Drawing, items: readonly StaffMember[]): Element[] => {
  const { host, t } = drawing
  const wanted = host.getAttribute('roles')?.split(/[\s,]+/)
  const roles = (Object.keys(ROLES) as (keyof typeof ROLES)[]).filter(
    (role) => !wanted || wanted.includes(role),
  )
  return roles.flatMap((role) => {
    const members = items.filter((member) => member.roles.includes(role))
    if (members.length === 0) return []
    return [
      element(
        'section',
        { 'aria-labelledby': role },
        heading(host, role, t(ROLES[role])),
        list(members.map((member) => drawMember(drawing, member))),
      ),
    ]
  })
}

const drawMember = (
  { host, service }: Drawing,
  { name, location, url, avatar_url: address }: StaffMember,
): Element =>
  element(
    'li',
    { class: 'member', part: 'staff-item' },
    address && host.getAttribute('avatars') !== 'none'
      ? element('img', {
          class: 'avatar',
          part: 'avatar',
          alt: '',
          width: '32',
          height: '32',
          loading: 'lazy',
          src: address.startsWith('/') ? service + address : address,
        })
      : null,
    element(
      'span',
      {},
      isWeb(url)
        ? element('a', { href: url, rel: 'nofollow ugc noopener noreferrer' }, bdi(name))
        : bdi(name),
      location ? element('span', { class: 'muted' }, ', ', bdi(location)) : null,
    ),
  )
