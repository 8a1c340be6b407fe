import {
  commentOfHash,
  countAddresses,
  fallbackOf,
  keptVersion,
  pageAddress,
  siteAddress,
  threadAddress,
  withQuery,
} from './addresses.ts'
import { type Mount, type Place, type Source, type Start, toLanguage, type View } from './view.ts'

/** Taken now: what the page does to it later does not matter. */
export const ask = fetch

/** Attributes that draw the tag anew: those of the first request, and others. Each is a property too. */
const QUERY = 'sort limit depth replies'.split(' ')
const READ = [
  ...QUERY,
  ...'service site article heading-level token-url login-url keys avatars excerpt parent roles format zero'.split(
    ' ',
  ),
]
/** Attributes that only styles read, or only the start. */
const OTHERS = 'theme density loading fallback'.split(' ')
const MARGIN = '800px'

type Act = 'reload' | 'focusComment' | 'write'

abstract class Tag extends HTMLElement {
  static observedAttributes = [...READ, 'lang', 'messages']

  get place(): Place {
    return {
      ...source,
      fetch: ask,
      service: this.getAttribute('service') || source.service,
      site: this.getAttribute('site') || 'default',
      article: this.getAttribute('article') || pageAddress(),
      lang: toLanguage(this.closest<HTMLElement>('[lang]')?.lang),
    }
  }

  /** A framework can set properties before the tag is known. */
  connectedCallback() {
    for (const [name, value] of Object.entries(this))
      if (name in Tag.prototype) {
        delete this[name as keyof this]
        this[name as keyof this] = value
      }
  }
}

let source: Source

for (const name of [...READ, ...OTHERS])
  Object.defineProperty(
    Tag.prototype,
    name.replace(/-./, (part) => part[1]!.toUpperCase()),
    {
      get(this: Tag) {
        return this.getAttribute(name)
      },
      set(this: Tag, value: string | number | null | undefined) {
        if (value === null || value === undefined) this.removeAttribute(name)
        else this.setAttribute(name, value as string)
      },
    },
  )

const near = new IntersectionObserver(
  (entries) => {
    for (const entry of entries)
      if (entry.isIntersecting) (entry.target as Tag & { start: () => void }).start()
  },
  { rootMargin: MARGIN },
)

/** A tag that draws itself when it comes near the screen. */
const createTag = (kind: Start['kind']) =>
  class extends Tag {
    #view: Promise<View | undefined> | undefined

    override connectedCallback() {
      super.connectedCallback()
      if (commentOfHash(location.hash) || this.getAttribute('loading') === 'eager') this.start()
      else near.observe(this)
    }

    /** A framework that moves the tag takes it out and puts it back in one turn. */
    disconnectedCallback() {
      queueMicrotask(() => this.isConnected || this.#stop())
    }

    /** Several changes of one turn draw once: the first stops the view, and no view is drawn till then. */
    attributeChangedCallback(_name: string, before: string | null, after: string | null) {
      if (!this.#view || before === after) return
      this.#stop()
      queueMicrotask(() => this.isConnected && this.start())
    }

    /** The observer and the page can ask for a start again. */
    start() {
      if (this.#view) return
      const { place } = this
      const address = threadAddress(place.service, place.site, place.article)
      const isWritten = kind !== 'thread' || this.querySelector('script[data-afterword-state]')
      const query = {
        include: 'config,staff',
        ...Object.fromEntries(QUERY.map((name) => [name, this.getAttribute(name)])),
        focus: commentOfHash(location.hash),
        at_least: keptVersion(address),
      }
      const start: Start = {
        ...place,
        kind,
        messages: source.loadMessages(place.lang).catch(() => undefined),
        first: isWritten ? undefined : ask(withQuery(`${address}/comments`, query)),
      }
      // The view asks again if it fails.
      start.first?.catch(() => {})
      const view: Promise<View | undefined> = source
        .load(kind === 'thread' ? kind : 'lists')
        .then((script) =>
          this.#view === view ? (script as { mount: Mount }).mount(this, start) : undefined,
        )
      view.catch(async (error) => {
        console.error('afterword:', error)
        if (isWritten || this.childElementCount) return
        const link = document.createElement('a')
        link.href = fallbackOf(this, address)
        link.text = (await start.messages)?.show ?? 'Show comments'
        this.append(link)
      })
      this.#view = view
    }

    #stop() {
      this.#view?.then((view) => view?.close()).catch(() => {})
      this.#view = undefined
    }

    async act(name: Act, ...args: string[]) {
      this.start()
      return (await this.#view)?.[name]?.(...args)
    }

    reload = this.act.bind(this, 'reload')
    focusComment = this.act.bind(this, 'focusComment')
    write = this.act.bind(this, 'write')
    load = this.setAttribute.bind(this, 'article')
  }

/** The tags that wait for their number; those of one turn share a request. */
const waiting = new Map<string, Set<CountTag>>()

class CountTag extends Tag {
  override connectedCallback() {
    super.connectedCallback()
    const { service, site } = this.place
    const base = siteAddress(service, site)
    const tags = waiting.get(base) ?? new Set()
    waiting.set(base, tags.add(this))
    // A page that still arrives brings more tags.
    if (document.readyState === 'loading') addEventListener('DOMContentLoaded', countAll)
    else setTimeout(countAll)
  }

  attributeChangedCallback() {
    if (this.isConnected) this.connectedCallback()
  }

  async show(n: number) {
    const { place } = this
    const text =
      this.getAttribute('format') === 'text'
        ? ((await source.load('count')) as typeof import('./count.ts')).sayCount(this, n, place)
        : n.toLocaleString(place.lang || 'en')
    this.textContent = (!n && this.getAttribute('zero')) || (await text)
  }
}

const countAll = (): void => {
  for (const [base, tags] of waiting) {
    const articles = [...tags].map((tag) => tag.place.article)
    for (const address of countAddresses(base, articles))
      ask(address)
        .then((answer) => answer.json())
        .then((counts) => {
          for (const tag of tags) {
            const count = counts[tag.place.article]
            if (count) void tag.show(count.comment_count)
          }
        })
        .catch(() => {})
  }
  waiting.clear()
}

/** Makes the tags known. A page that loads the script twice keeps the first. */
export const register = (from: Source): void => {
  if (customElements.get('afterword-thread')) return
  source = from
  for (const kind of ['thread', 'recent', 'staff'] as const)
    customElements.define(`afterword-${kind}`, createTag(kind))
  customElements.define('afterword-count', CountTag)
}
