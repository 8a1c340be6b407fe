import {
  commentOfHash,
  keptVersion,
  siteAddress,
  threadAddress,
  versionName,
} from '../addresses.ts'
import { type Answer, createCall, persist, Refused, type Request, readAnswer } from '../call.ts'
import { learnTime, now } from '../clock.ts'
import { collapsedName, keep, parseKept, readKept } from '../kept.ts'
import { createStore, type Store } from '../store.ts'
import type { Language } from '../texts.ts'
import type { Host, Start } from '../view.ts'
import type { Comment, Config, FirstPage, Page, StaffOf, Thread, Viewer } from '../wire.ts'
import { createIdentity, type Identity } from './identity.ts'
import * as tree from './tree.ts'

/** The form that is open below a comment; below the heading it is the editor of a new comment. */
export type Panel = 'actions' | 'reply' | 'edit' | 'delete' | 'report' | 'appeal'

/** A sentence beside its cause. */
export type Notice = {
  readonly text: string
  readonly isAlert: boolean
  readonly isLogin?: boolean
}

export type State = {
  readonly phase: 'loading' | 'ready' | 'failed' | 'refused'
  readonly thread: Thread | undefined
  readonly config: Config | undefined
  readonly staff: StaffOf
  readonly viewer: Viewer | undefined
  readonly votes: Viewer['votes']
  readonly tree: tree.Tree
  readonly sort: string
  /** The lists that are being loaded. */
  readonly busy: Readonly<Record<string, boolean>>
  readonly collapsed: Readonly<Record<string, boolean>>
  readonly panels: Readonly<Record<string, Panel | undefined>>
  readonly notices: Readonly<Record<string, Notice | undefined>>
  readonly reported: Readonly<Record<string, boolean>>
  /** The comment that the address of the page names. */
  readonly target: string | undefined
  readonly isTargetGone: boolean
  readonly isOffline: boolean
  /** The latest sentence for the live region. */
  readonly said: string
  /** Whether the reader left a name here. */
  readonly guestName: string | undefined
}

export type Model = Language & {
  readonly host: Host
  readonly start: Start
  readonly address: string
  readonly base: string
  readonly store: Store<State>
  readonly identity: Identity
  /** Sends a request as the reader, whose member token is renewed once if it has ended. */
  readonly send: <T>(request: Request) => Promise<Answer<T>>
  readonly emit: (name: string, detail?: object, isCancelable?: boolean) => boolean
  readonly say: (text: string) => void
  readonly notice: (place: string, notice: Notice | undefined) => void
  /** Says beside the place why an act failed. @returns the code of the error */
  readonly refuse: (place: string, error: unknown, operation: string) => string
  readonly sayError: (code: string) => string
  readonly openPanel: (place: string, panel: Panel | undefined) => void
  /** How long until then by the clock of the service, in seconds. */
  readonly secondsUntil: (time: string | null | undefined) => number
  /** The time after so many seconds, by the clock of the service. */
  readonly timeIn: (seconds: number) => string
  readonly load: (first?: FirstAnswer) => Promise<void>
  readonly loadViewer: () => Promise<void>
  readonly loadMore: (key: string) => Promise<void>
  readonly changeSort: (sort: string) => Promise<void>
  readonly collapse: (id: string, isCollapsed: boolean) => void
  readonly jump: (id: string) => Promise<void>
  readonly revalidate: () => Promise<void>
  readonly focus: (id: string) => void
  readonly loginAddress: () => string | null
  /** Ends what the model shares with other tags of the page. */
  readonly leave: () => void
}

/** The first page of a thread, on its way. */
export type FirstAnswer = Promise<Answer<FirstPage>>

/** Sentences of their own: the reason is for the owner of the site, in the console. */
const FOR_OWNERS = ['not_found', 'origin_refused']

export const createModel = (host: Host, start: Start, language: Language): Model => {
  const { service, site, article, fetch: ask } = start
  const base = siteAddress(service, site)
  const address = threadAddress(service, site, article)
  const call = createCall(ask)
  const identity = createIdentity(host, { ask, call, base })
  const { t } = language
  const store = createStore<State>({
    phase: 'loading',
    thread: undefined,
    config: undefined,
    staff: {},
    viewer: undefined,
    votes: {},
    tree: tree.NO_TREE,
    sort: host.getAttribute('sort') ?? '',
    busy: {},
    collapsed: parseKept(readKept('sessionStorage', collapsedName(address))) ?? {},
    panels: {},
    notices: {},
    reported: {},
    target: undefined,
    isTargetGone: false,
    isOffline: false,
    said: '',
    guestName: identity.guest()?.name,
  })
  const { state, change } = store
  const leave = share(address, store)
  let readAt = 0

  const atLeast = (): string | null => keptVersion(address)
  /** Later reads of this reader are never older than their write, until one has shown it. */
  const keepVersion = (version: number): void => {
    if (version > Number(atLeast() ?? 0))
      keep('sessionStorage', versionName(address), String(version))
  }
  const forgetVersion = (version: number): void => {
    if (version >= Number(atLeast() ?? 0)) keep('sessionStorage', versionName(address), null)
  }

  const send = async <T>(request: Request): Promise<Answer<T>> => {
    const token = request.token ?? (await identity.token())
    try {
      const answer = await call<T>({ ...request, token })
      keepVersion(answer.version)
      if (answer.isGuestStale && token === identity.guest()?.token) identity.forgetToken()
      return answer
    } catch (error) {
      const isEnded = error instanceof Refused && error.code === 'invalid_token'
      if (!isEnded || token === identity.guest()?.token) throw error
      const renewed = await identity.memberToken(true)
      emit('token-expired')
      if (!renewed || renewed === token) throw new Refused('login_required', 401)
      return call<T>({ ...request, token: renewed })
    }
  }

  /** Reads without a credential, so that the answer comes from the cache; a site for members asks for a token. */
  const read = <T>(request: Request): Promise<Answer<T>> =>
    persist(() => call<T>(request)).catch(async (error) => {
      const isClosed = error instanceof Refused && error.code === 'login_required'
      if (!isClosed || !(await identity.token())) throw error
      return send<T>(request)
    })

  const emit = (name: string, detail: object = {}, cancelable = false): boolean =>
    host.dispatchEvent(
      new CustomEvent(`afterword-${name}`, { bubbles: true, composed: true, cancelable, detail }),
    )

  const say = (said: string): void => change({ said })

  const notice = (place: string, value: Notice | undefined): void =>
    change(({ notices }) => ({ notices: { ...notices, [place]: value } }))

  const sayError = (code: string): string => {
    const sentence = t(`error.${code}`)
    return sentence.startsWith('error.') ? t('error.unknown') : sentence
  }

  const report = (error: unknown, operation: string): string => {
    const { code, status } = error instanceof Refused ? error : { code: 'unknown', status: 0 }
    if (code === 'unknown' || FOR_OWNERS.includes(code) || sayError(code) === t('error.unknown'))
      console.error(`afterword: ${operation}: ${code}`, error)
    emit('error', { code, status, operation })
    return code
  }

  const refuse = (place: string, error: unknown, operation: string): string => {
    const code = report(error, operation)
    const isLogin = code === 'login_required' && emit('login', {}, true)
    const isRead = operation.startsWith('list')
    const text =
      isRead && FOR_OWNERS.includes(code)
        ? t('cannot_show')
        : code === 'network' || code === 'unavailable'
          ? t(isRead ? 'failed' : 'error.unavailable')
          : sayError(code)
    notice(place, { text, isAlert: true, isLogin })
    return code
  }

  const openPanel = (place: string, panel: Panel | undefined): void =>
    change(({ panels, notices }) => ({
      panels: { ...panels, [place]: panel },
      notices: { ...notices, [place]: undefined },
    }))

  const pageQuery = () => ({
    sort: state().sort,
    limit: host.getAttribute('limit'),
    depth: host.getAttribute('depth'),
    replies: host.getAttribute('replies'),
    at_least: atLeast(),
  })

  const readFirst = async (focus: string | undefined, first?: FirstAnswer) => {
    const query = { include: 'config,staff', ...pageQuery(), focus }
    const asked = await first?.catch(passOver)
    return (asked ?? (await read<FirstPage>({ address: `${address}/comments`, query }))).body
  }

  const show = (page: FirstPage, isRenewal: boolean): void => {
    const { thread, config, staff } = page
    readAt = page.at ? Date.parse(page.at) : now()
    forgetVersion(thread.version)
    change((old) => ({
      phase: 'ready',
      thread,
      config,
      staff: { ...old.staff, ...staff },
      sort: old.sort || config.default_sort,
      tree: isRenewal ? tree.renew(old.tree, page) : tree.addPage(tree.NO_TREE, tree.ROOTS, page),
    }))
    showOwn()
    emit('count', { count: thread.comment_count })
  }

  const load = async (first?: FirstAnswer): Promise<void> => {
    const named = commentOfHash(location.hash)
    if (state().phase !== 'ready') change({ phase: 'loading', notices: {} })
    try {
      const [page] = await Promise.all([readOrGone(named, first), loadViewer()])
      show(page, false)
      emit('ready')
      void revalidate()
      if (named || state().isTargetGone) focus(named && !state().isTargetGone ? named : 'gone')
    } catch (error) {
      const code = refuse(tree.ROOTS, error, 'listThread')
      const isFinal = FOR_OWNERS.includes(code) || code === 'login_required'
      change({ phase: isFinal ? 'refused' : 'failed' })
    }
  }

  /** A comment that is gone still shows the thread. */
  const readOrGone = async (named: string | undefined, first?: FirstAnswer) => {
    change({ target: named, isTargetGone: false })
    if (!named) return readFirst(undefined, first)
    try {
      return await readFirst(named, first)
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== 'not_found') throw error
      const page = await readFirst(undefined)
      change({ target: undefined, isTargetGone: true })
      return page
    }
  }

  /** Only a reader with a credential is asked about; anybody else costs no request. */
  const loadViewer = async (): Promise<void> => {
    const token = await identity.token()
    change({ guestName: identity.guest()?.name || undefined })
    if (!token) return change({ viewer: undefined, votes: {} })
    try {
      const { body, isGuestStale } = await send<Viewer>({ address: `${address}/viewer` })
      learnTime(body.now)
      if (isGuestStale) return change({ viewer: undefined, votes: {} })
      change({ viewer: body, votes: body.votes })
      showOwn()
    } catch (error) {
      change({ viewer: undefined, votes: {} })
      if (error instanceof Refused && error.code === 'invalid_token') identity.forgetToken()
      report(error, 'getViewer')
    }
  }

  /** The reader's own held comments belong to no page that others share. */
  const showOwn = (): void => {
    const { viewer, thread } = state()
    if (!viewer || !thread) return
    change((old) => ({
      tree: viewer.pending.toReversed().reduce(tree.putComment, old.tree),
    }))
  }

  const loadMore = async (key: string): Promise<void> => {
    const list = tree.listOf(state().tree, key)
    if (state().busy[key]) return
    const setBusy = (isBusy: boolean) =>
      change(({ busy }) => ({ busy: { ...busy, [key]: isBusy } }))
    setBusy(true)
    const { sort, ...query } = { ...pageQuery(), cursor: list.next }
    try {
      const where = key === tree.ROOTS ? `${address}/comments` : `${base}/comments/${key}/replies`
      const asked = { address: where, query: list.next ? query : { ...query, sort } }
      const { body } = await read<Page>(asked)
      const left = Math.max(0, list.remaining - body.items.length)
      change((old) => ({ tree: tree.addPage(old.tree, key, body, body.next_cursor ? left : 0) }))
      showOwn()
      const added = body.items.filter(({ id }) => !list.ids.includes(id))
      say(t('loaded', { n: added.length }))
      if (added[0]) focus(added[0].id)
    } catch (error) {
      if (error instanceof Refused && error.code === 'invalid_cursor')
        await changeSort(state().sort)
      else refuse(`more-${key}`, error, 'listReplies')
    }
    setBusy(false)
  }

  const changeSort = async (sort: string): Promise<void> => {
    change(({ busy }) => ({ sort, busy: { ...busy, sort: true } }))
    try {
      show(await readFirst(undefined), false)
    } catch (error) {
      refuse(tree.ROOTS, error, 'listThread')
    }
    change(({ busy }) => ({ busy: { ...busy, sort: false } }))
  }

  const revalidate = async (): Promise<void> => {
    if (now() - readAt < REVALIDATE_MS || state().phase !== 'ready') return
    const query = { include: 'config,staff', ...pageQuery() }
    await call<FirstPage>({ address: `${address}/comments`, query })
      .then(({ body }) => show(body, true))
      .catch(() => {})
  }

  const jump = async (id: string): Promise<void> => {
    if (!state().tree.comments[id]) {
      const page = await readOrGone(id).catch(
        (error) => void refuse(tree.ROOTS, error, 'listThread'),
      )
      if (page) show(page, state().isTargetGone)
    } else change({ target: id, isTargetGone: false })
    const { isTargetGone, tree: now } = state()
    for (const ancestor of tree.ancestorsOf(now, id)) collapse(ancestor, false)
    focus(isTargetGone ? 'gone' : id)
    emit('jump', { id, isGone: isTargetGone })
  }

  const collapse = (id: string, isCollapsed: boolean): void => {
    change(({ collapsed }) => ({ collapsed: { ...collapsed, [id]: isCollapsed } }))
    // Storage is slow: the reader sees the change first.
    setTimeout(() =>
      keep('sessionStorage', collapsedName(address), JSON.stringify(state().collapsed)),
    )
  }

  const focus = (id: string): void => {
    let frames = 0
    const attempt = (): void => {
      const found = host.shadowRoot?.getElementById(id)
      if (found) found.focus()
      else if (++frames < MAX_FRAMES) requestAnimationFrame(attempt)
    }
    requestAnimationFrame(attempt)
  }

  const loginAddress = (): string | null => {
    const given = host.getAttribute('login-url') ?? state().config?.login_url
    if (!given) return null
    const back = encodeURIComponent(location.href)
    if (given.includes('{return}')) return given.replace('{return}', back)
    return `${given}${given.includes('?') ? '&' : '?'}return=${back}`
  }

  return {
    host,
    start,
    address,
    base,
    store,
    identity,
    ...language,
    send,
    emit,
    say,
    notice,
    refuse,
    sayError,
    openPanel,
    secondsUntil: (time) => (time ? (Date.parse(time) - now()) / 1000 : 0),
    timeIn: (seconds) => new Date(now() + seconds * 1000).toISOString(),
    load,
    loadViewer,
    loadMore,
    changeSort,
    collapse,
    jump,
    revalidate,
    focus,
    loginAddress,
    leave,
  }
}

/** The stores of the tags that show one thread. */
const shared = new Map<string, Set<Store<State>>>()

/** Two tags of a page that show one thread in one order show the same comments, votes and counts. */
const share = (address: string, own: Store<State>): (() => void) => {
  const stores = shared.get(address) ?? new Set()
  shared.set(address, stores.add(own))
  const stop = own.subscribe(() => {
    const { phase, sort, tree, thread, viewer, votes } = own.state()
    if (phase !== 'ready') return
    for (const { state, change } of stores)
      if (
        state().phase === phase &&
        state().sort === sort &&
        (state().tree !== tree || state().thread !== thread || state().viewer !== viewer)
      )
        change({ tree, thread, viewer, votes })
  })
  return () => {
    stop()
    stores.delete(own)
  }
}

const REVALIDATE_MS = 60_000
const MAX_FRAMES = 60

const passOver = (error: unknown): undefined => {
  if (
    error instanceof Refused &&
    !['network', 'unavailable', 'login_required'].includes(error.code)
  )
    throw error
  return undefined
}

/** The first page: on its way, or written by the service into the page itself, which is used once. */
export const findFirst = (host: Host, { first }: Start): FirstAnswer | undefined => {
  const asked = first?.then((answer) => readAnswer<FirstPage>(answer))
  asked?.catch(() => {})
  const script = host.querySelector('script[data-afterword-state]:not([data-used])')
  script?.setAttribute('data-used', '')
  const written = script && parseKept<FirstPage>(script.textContent)
  const sort = host.getAttribute('sort')
  const fits = written && !commentOfHash(location.hash) && (!sort || sort === written.sort)
  return fits ? Promise.resolve({ status: 200, body: written, version: 0 }) : asked
}

export const isOwn = (viewer: Viewer | undefined, { author }: Comment): boolean =>
  author !== null && author.id === viewer?.author?.id

/** Until when the reader can edit the comment; undefined if they cannot. */
export const editableUntil = (
  viewer: Viewer | undefined,
  { id, editable_until: until }: Comment,
): string | undefined => viewer?.editable?.[id] ?? until ?? undefined
