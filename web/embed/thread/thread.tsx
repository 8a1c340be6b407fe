import { render } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { commentOfHash, fallbackOf } from '../addresses.ts'
import { later, ModelContext, NoticeLine, useModel, useThread } from '../parts.tsx'
import { dress } from '../styles.ts'
import { openLanguage } from '../texts.ts'
import type { Host, Mount, View } from '../view.ts'
import { Branch, MoreButton } from './comment.tsx'
import { keepDraft } from './drafts.ts'
import { createModel, findFirst, type Model } from './model.ts'
import { inOrder, listOf, ROOTS, sizeOf } from './tree.ts'

export * from '../shared.ts'

const Editor = later('editor', 'Editor')
const Decisions = later('dialogs', 'Decisions')

/** The first screen is drawn first; the other comments follow between the reader's acts. */
const COMMENTS_PER_TASK = 20

export const mount: Mount = async (host: Host, start) => {
  const first = findFirst(host, start)
  const readConfig = first && (async () => (await first).body.config)
  const language = await openLanguage(host, start, start.messages, readConfig)
  const model = createModel(host, start, language)
  const stop = watch(model)
  const { store } = model
  store.subscribe(() => {
    const { thread, viewer } = store.state()
    Object.assign(host, { thread, viewer })
  })
  const draw = (): void => {
    const root = dress(host)
    render(
      <ModelContext.Provider value={model}>
        <ThreadView />
      </ModelContext.Provider>,
      root,
    )
  }
  // Content that the page has inside the tag stays until the comments are there.
  const hasContent = host.childElementCount > 0
  if (!hasContent) draw()
  const loaded = model.load(first)
  if (hasContent) void loaded.then(draw)
  return {
    close: () => {
      stop()
      model.leave()
      if (host.shadowRoot) render(null, host.shadowRoot)
    },
    reload: () => model.load(),
    focusComment: (id) => id && loaded.then(() => model.jump(id)),
    write: (text) =>
      loaded.then(() => {
        if (text) keepDraft(model, ROOTS, { body: text })
        model.openPanel(ROOTS, undefined)
        setTimeout(() => model.openPanel(ROOTS, 'reply'))
      }),
  } satisfies View
}

/** Follows what happens to the page: its address, its connection, its return, and other tabs. */
const watch = (model: Model): (() => void) => {
  const { store, identity, say, t } = model
  const onHash = (): void => {
    const id = commentOfHash(location.hash)
    if (id) void model.jump(id)
  }
  const onOnline = (): void => {
    store.change({ isOffline: false })
    say(t('online'))
    void model.revalidate()
  }
  const onOffline = (): void => {
    store.change({ isOffline: true })
    say(t('offline'))
  }
  const onShow = ({ persisted }: PageTransitionEvent): void => {
    if (persisted) void model.revalidate()
  }
  const onStorage = ({ key }: StorageEvent): void => {
    if (identity.isKeptIn(key)) void model.loadViewer()
  }
  const stop = new AbortController()
  const { signal } = stop
  addEventListener('hashchange', onHash, { signal })
  addEventListener('online', onOnline, { signal })
  addEventListener('offline', onOffline, { signal })
  addEventListener('pageshow', onShow, { signal })
  addEventListener('storage', onStorage, { signal })
  if (model.host.hasAttribute('keys'))
    model.host.addEventListener('keydown', (event) => onKey(model, event), { signal })
  return () => stop.abort()
}

/** With the attribute `keys`: j and k go from comment to comment, u to the parent, r replies. */
const onKey = ({ host, store, openPanel, focus }: Model, event: KeyboardEvent): void => {
  const path = event.composedPath() as HTMLElement[]
  if (event.ctrlKey || event.metaKey || event.altKey) return
  if (/^(input|textarea|select)$/i.test(path[0]?.tagName ?? '')) return
  const { tree } = store.state()
  const current = path.find((element) => element.tagName === 'ARTICLE')?.id
  const all = inOrder(tree).filter((id) => host.shadowRoot?.getElementById(id))
  const at = current ? all.indexOf(current) : -1
  const target = {
    j: all[at + 1],
    k: all[at - 1],
    u: current && tree.comments[current]?.parent_id,
  }[event.key]
  if (target) focus(target)
  else if (event.key === 'r' && current) openPanel(current, 'reply')
  else return
  event.preventDefault()
}

const ThreadView = () => {
  const model = useModel()
  const { t, host, lang, dir } = model
  const [phase, thread, said, isOffline, isTargetGone, notice] = useThread((state) => [
    state.phase,
    state.thread,
    state.said,
    state.isOffline,
    state.isTargetGone,
    state.notices[ROOTS],
  ])
  const Heading = `h${host.getAttribute('heading-level') ?? 2}` as 'h2'
  const title = thread?.title
  const n = thread?.comment_count ?? 0
  const isNamed = thread || phase === 'loading'
  return (
    <section
      aria-labelledby={isNamed ? 'comments' : undefined}
      aria-busy={phase === 'loading'}
      lang={lang}
      dir={dir}
    >
      <slot name="header" />
      <div class="top" part="toolbar">
        {isNamed && (
          <Heading id="comments" tabIndex={-1} part="heading">
            {!thread ? t('loading') : title ? t('count_on', { n, title }) : t('count', { n })}
          </Heading>
        )}
        {phase === 'ready' && <Sorts />}
      </div>
      {isOffline && (
        <p class="banner" part="banner">
          {t('offline')}
        </p>
      )}
      {isTargetGone && (
        <p class="banner" id="gone" tabIndex={-1} part="banner">
          {t('gone_target')}
        </p>
      )}
      {(phase === 'failed' || phase === 'refused') && <NoticeLine notice={notice} />}
      {phase === 'failed' && (
        <p class="row">
          <button type="button" onClick={() => model.load()}>
            {t('retry')}
          </button>
          {host.querySelector(':scope > :not([slot])') ? (
            <slot />
          ) : (
            <a href={fallbackOf(host, model.address)}>{t('show')}</a>
          )}
        </p>
      )}
      {phase === 'ready' && <Loaded />}
      <p role="status" class="hidden">
        {said}
      </p>
      <slot name="footer" />
    </section>
  )
}

const Sorts = () => {
  const { t, changeSort } = useModel()
  const [sort, config, isBusy] = useThread((state) => [state.sort, state.config, state.busy.sort])
  const sorts = config?.sorts ?? []
  if (sorts.length < 2) return null
  return (
    <label class="sort" part="sort">
      {t('sort')}{' '}
      <select
        value={sort}
        aria-disabled={isBusy}
        onChange={({ currentTarget }) => changeSort(currentTarget.value)}
      >
        {sorts.map((name) => (
          <option value={name} selected={name === sort}>
            {t(`sort.${name}`)}
          </option>
        ))}
      </select>
    </label>
  )
}

const Loaded = () => {
  const { t } = useModel()
  const [list, viewer] = useThread((state) => [listOf(state.tree, ROOTS), state.viewer])
  const shown = useBatches(list.ids)
  const [visible, rest] = useMemo(
    () => [list.ids.slice(0, shown), list.ids.length > shown],
    [list.ids, shown],
  )
  return (
    <>
      <Write isFirst={list.ids.length === 0} />
      {(viewer?.decided?.length ?? 0) > 0 && <Decisions />}
      {visible.length > 0 && (
        <ol role="list" class="list" part="list">
          {visible.map((id) => (
            <Branch key={id} id={id} />
          ))}
        </ol>
      )}
      {list.ids.length === 0 && (
        <p class="empty">
          <slot name="empty">{t('empty')}</slot>
        </p>
      )}
      {!rest && <MoreButton place={ROOTS} />}
    </>
  )
}

/** How many roots are drawn: some more with every task, and as many as the reader asked for. */
const useBatches = (ids: readonly string[]): number => {
  const { store } = useModel()
  const [target] = useThread((state) => [state.target])
  const [wanted, setWanted] = useState(COMMENTS_PER_TASK)
  const { tree } = store.state()
  let shown = 0
  for (let comments = 0; shown < ids.length && comments < wanted; shown++)
    comments += sizeOf(tree, ids[shown]!)
  const isWhole = shown === ids.length
  useEffect(() => {
    if (isWhole) return
    const timer = setTimeout(() => setWanted(wanted + COMMENTS_PER_TASK))
    return () => clearTimeout(timer)
  }, [wanted, isWhole])
  return Math.max(shown, target ? ids.indexOf(target) + 1 : 0)
}

/** The way to a new comment, or the reason why there is none. */
const Write = ({ isFirst }: { isFirst: boolean }) => {
  const model = useModel()
  const { t, times, openPanel } = model
  const [thread, config, viewer, panel, notice] = useThread((state) => [
    state.thread,
    state.config,
    state.viewer,
    state.panels[ROOTS],
    state.notices[ROOTS],
  ])
  const reason = viewer ? viewer.reason : (thread?.reason ?? null)
  if (panel === 'reply') return <Editor place={ROOTS} isEdit={false} />
  if (thread?.state === 'locked' || reason === 'thread_locked')
    return <Closed text={t('locked_thread')} />
  if (thread?.state === 'closed' || reason === 'thread_closed') {
    const at = thread?.closes_at
    const isPast = at && model.secondsUntil(at) <= 0
    return <Closed text={isPast ? t('closed_on', { date: times.date(at) }) : t('closed')} />
  }
  if (reason === 'posting_disabled' || reason === 'site_closed' || reason === 'banned')
    return <Closed text={t(`error.${reason}`)} />
  const isMembersOnly = !viewer && config?.who_may_post === 'members'
  if (reason === 'login_required' || isMembersOnly) {
    const notice = { text: t('error.login_required'), isAlert: false, isLogin: true }
    return (
      <slot name="login">
        <NoticeLine notice={notice} />
      </slot>
    )
  }
  return (
    <div class="write">
      <button type="button" class="open" part="open" onClick={() => openPanel(ROOTS, 'reply')}>
        {t('write')}
      </button>
      {isFirst && <span class="hidden">{t('first')}</span>}
      <NoticeLine notice={notice} />
    </div>
  )
}

const Closed = ({ text }: { text: string }) => (
  <p class="closed" part="banner">
    <slot name="closed">{text}</slot>
  </p>
)
