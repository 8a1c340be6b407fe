import {
  commentOfHash,
  countAddresses,
  keptVersion,
  pageAddress,
  siteAddress,
  threadAddress,
  withQuery,
} from './addresses.ts'
import type { Load, Messages, Mount, Start, View } from './view.ts'

/** The place that the tags were loaded from. */
export type Source = {
  readonly service: string
  readonly load: Load
  /** Undefined for English and for languages that the widget does not speak. */
  readonly loadMessages: (lang: string) => Promise<Messages | undefined>
}

/** Taken now: what the page does to it later does not matter. */
export const ask = fetch

/** Attributes that draw the tag anew: those of the first request, and others. Each is a property too. */
const QUERY = 'sort limit depth replies'.split(' ')
const READ = [
  ...QUERY,
  ...'service site article heading-level token-url login-url keys avatars excerpt parent roles format zero lang'.split(
    ' ',
  ),
]
/** Attributes that only styles read, or only the start. */
const OTHERS = 'theme density loading'.split(' ')
const MARGIN = '800px'

type Act = 'reload' | 'focusComment' | 'write'

abstract class Tag extends HTMLElement {
  static observedAttributes = READ

  get place() {
    return {
      service: this.getAttribute('service') || source.service,
      site: this.getAttribute('site') || 'default',
      article: this.getAttribute('article') || pageAddress(),
      // Pages also write `pt_BR`, which no language of the browser accepts.
      lang: this.closest<HTMLElement>('[lang]')?.lang.replaceAll('_', '-') || 'en',
    }
  }

  /** A framework can set properties before the tag is known. */
  connectedCallback() {
    for (const name of Object.keys(Tag.prototype) as (keyof this)[]) {
      if (!Object.hasOwn(this, name)) continue
      const value = this[name]
      delete this[name]
      this[name] = value
    }
  }
}

let source: Source

for (const name of [...READ, ...OTHERS])
  if (name !== 'lang')
    Object.defineProperty(
      Tag.prototype,
      name.replace(/-./, (part) => part[1]!.toUpperCase()),
      {
        enumerable: true,
        get(this: Tag) {
          return this.getAttribute(name)
        },
        set(this: Tag, value: string | number | null | undefined) {
          if (value === null || value === undefined) this.removeAttribute(name)
          else this.setAttribute(name, `${value}`)
        },
      },
    )

const near = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries)
      if (isIntersecting) (target as Tag & { start: () => void }).start()
  },
  { rootMargin: MARGIN },
)

/** A tag that draws itself when it comes near the screen. */
const createTag = (kind: Start['kind']) =>
  class extends Tag {
    #view: Promise<View | undefined> | undefined

    override connectedCallback() {
      super.connectedCallback()
      if (this.#view) return
      const isNamed = kind === 'thread' && commentOfHash(location.hash)
      if (isNamed || this.getAttribute('loading') === 'eager') this.start()
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
      queueMicrotask(() => this.isConnected && !this.#view && this.start())
    }

    start() {
      near.unobserve(this)
      const { place } = this
      const start: Start = {
        ...place,
        kind,
        fetch: ask,
        load: source.load,
        messages: source.loadMessages(place.lang),
        first: this.#ask(place),
      }
      // The view asks again if one of them fails.
      start.first?.catch(() => {})
      start.messages.catch(() => {})
      const view: Promise<View | undefined> = source
        .load(kind === 'thread' ? kind : 'lists')
        .then((script) =>
          this.#view === view ? (script as { mount: Mount }).mount(this, start) : undefined,
        )
      view.catch((error) => console.error('afterword:', error))
      this.#view = view
    }

    #ask({ service, site, article }: Tag['place']) {
      if (kind !== 'thread' || this.querySelector('script[data-afterword-state]')) return undefined
      const address = threadAddress(service, site, article)
      return ask(
        withQuery(`${address}/comments`, {
          include: 'config,staff',
          ...Object.fromEntries(QUERY.map((name) => [name, this.getAttribute(name)])),
          focus: commentOfHash(location.hash),
          at_least: keptVersion(address),
        }),
      )
    }

    #stop() {
      near.unobserve(this)
      this.#view?.then((view) => view?.close()).catch(() => {})
      this.#view = undefined
    }

    async act(name: Act, ...args: string[]) {
      if (!this.#view) this.start()
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

  attributeChangedCallback(_name: string, before: string | null, after: string | null) {
    if (this.isConnected && before !== after) this.connectedCallback()
  }

  async show(n: number) {
    const { lang } = this.place
    const zero = n === 0 && this.getAttribute('zero')
    const isText = this.getAttribute('format') === 'text'
    this.textContent = zero || (isText ? await this.say(n, lang) : n.toLocaleString(lang))
  }

  async say(n: number, lang: string): Promise<string> {
    const script = (await source.load('count')) as typeof import('./count.ts')
    return script.sayCount(this, n, lang, source.loadMessages(lang))
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
