import { useMemo, useRef } from 'preact/hooks'
import { parseBody } from '../body.ts'
import { Bdi, later, NoticeLine, useModel, useThread } from '../parts.tsx'
import type { Author, Comment } from '../wire.ts'
import { memo } from './memo.ts'
import { editableUntil, isOwn } from './model.ts'
import { countReplies, isLocked, listOf, neighbourOf, ROOTS } from './tree.ts'
import { vote } from './voting.ts'

const Editor = later('editor', 'Editor')
const Dialog = later('dialogs', 'Dialog')

/** All that one comment shows of the thread's state: one look at the store for each comment. */
const useComment = (id: string) => {
  const [
    comment,
    list,
    isCollapsed,
    parentName,
    own,
    location,
    isTarget,
    notice,
    panel,
    vote,
    may,
  ] = useThread((state) => {
    const { tree, viewer, votes, staff, panels, notices, config, thread } = state
    const comment = tree.comments[id]
    const isOpen = comment?.status === 'approved' && !isLocked(tree, id)
    const mayReply = isOpen && thread?.state === 'open' && comment.depth < config!.max_depth
    const mayVote = isOpen && thread?.state !== 'locked' && config?.voting !== 'off'
    return [
      comment,
      listOf(tree, id),
      state.collapsed[id] ?? false,
      tree.comments[comment?.parent_id ?? ROOTS]?.author?.name,
      comment !== undefined && isOwn(viewer, comment),
      staff[comment?.author?.id ?? '']?.location,
      state.target === id,
      notices[id],
      panels[id],
      votes[id] ?? 0,
      `${mayReply ? 'reply' : ''} ${mayVote ? config?.voting : ''}`,
    ] as const
  })
  return {
    comment,
    list,
    isCollapsed,
    parentName,
    own,
    location,
    isTarget,
    notice,
    panel,
    vote,
    may,
  }
}

type Shown = Omit<ReturnType<typeof useComment>, 'comment'> & { readonly comment: Comment }

/** A comment with its replies. It draws again only when its own data change. */
export const Branch = memo(({ id }: { id: string }) => {
  const { t, collapse } = useModel()
  const { comment, ...shown } = useComment(id)
  const { list, isCollapsed } = shown
  // Hidden replies stay in the page with their layout, and a search in the page shows them.
  const whenFound = { onBeforeMatch: () => collapse(id, false) }
  const wasShown = useRef(!isCollapsed)
  if (!isCollapsed) wasShown.current = true
  if (!comment) return null
  const name = comment.author?.name
  return (
    <li>
      <Article comment={comment} {...shown} />
      {wasShown.current && list.ids.length > 0 && (
        <ol
          role="list"
          hidden={isCollapsed && 'until-found'}
          {...whenFound}
          class="list"
          aria-label={name ? t('replies_to', { name }) : t('replies_to_removed')}
        >
          {list.ids.map((reply) => (
            <Branch key={reply} id={reply} />
          ))}
        </ol>
      )}
      {!isCollapsed && list.remaining > 0 && <MoreButton place={id} />}
    </li>
  )
})

export const MoreButton = ({ place }: { place: string }) => {
  const { t, loadMore } = useModel()
  const [list, isBusy, notice] = useThread((state) => [
    listOf(state.tree, place),
    state.busy[place],
    state.notices[`more-${place}`],
  ])
  if (list.next === null && list.remaining === 0) return null
  return (
    <p class="more">
      <button type="button" part="more" aria-disabled={isBusy} onClick={() => loadMore(place)}>
        {place === ROOTS ? t('more') : t('more_replies', { n: list.remaining })}
      </button>
      <NoticeLine notice={notice} />
    </p>
  )
}

const Article = (shown: Shown) => {
  const { t, times, host } = useModel()
  const { comment, list, isCollapsed, parentName, own, location, isTarget, notice, panel } = shown
  const { id, author, status, pinned } = comment
  const isHeld = status === 'pending'
  const Heading = `h${Math.min(6, Number(host.getAttribute('heading-level') ?? 2) + 1)}` as 'h3'
  const names = [
    'comment',
    author && author.role !== 'reader' && 'comment-staff',
    own && 'comment-own',
    pinned && 'comment-pinned',
    isHeld && 'comment-held',
    isTarget && 'comment-target',
  ].filter(Boolean)
  return (
    <article
      id={id}
      aria-labelledby={`${id}-h`}
      tabIndex={-1}
      data-to={parentName}
      class={names.join(' ')}
      part={names.join(' ')}
    >
      <div class="head">
        {author && host.getAttribute('avatars') !== 'none' && <Avatar author={author} />}
        <Heading id={`${id}-h`} class="author" part="author">
          {author ? <Name author={author} /> : t('removed')}
          <span class="hidden">
            {comment.parent_id !== null &&
              `, ${parentName ? t('reply_to', { name: parentName }) : t('reply_to_removed')}`}
            , {t('level', { n: comment.depth + 1 })}
          </span>
        </Heading>
        {author && <Badges comment={comment} own={own} location={location} />}
        <a href={`#${id}`} class="time" title={times.full(comment.created_at)} part="time">
          <time dateTime={comment.created_at}>{times.ago(comment.created_at)}</time>
        </a>
        {comment.edited_at && (
          <span class="muted" title={times.full(comment.edited_at)}>
            {t('edited')}
          </span>
        )}
        {list.ids.length + list.remaining > 0 && (
          <CollapseButton id={id} isCollapsed={isCollapsed} />
        )}
      </div>
      {comment.body_html !== null && panel !== 'edit' && <Body html={comment.body_html} />}
      {author && panel !== 'edit' && <Actions {...shown} />}
      {panel && panel !== 'actions' && (
        <div class="panel">
          {panel === 'reply' || panel === 'edit' ? (
            <Editor place={id} isEdit={panel === 'edit'} />
          ) : (
            <Dialog comment={comment} panel={panel} />
          )}
        </div>
      )}
      {!(panel === 'reply' || panel === 'edit') && <NoticeLine notice={notice} />}
    </article>
  )
}

const Name = ({ author: { name, url } }: { author: Author }) =>
  url && /^https?:/i.test(url) ? (
    <a href={url} rel="nofollow ugc noopener noreferrer">
      <Bdi>{name}</Bdi>
    </a>
  ) : (
    <Bdi>{name}</Bdi>
  )

const Avatar = ({ author: { avatar_url: address } }: { author: Author }) => {
  const { start } = useModel()
  if (!address) return null
  return (
    <img
      class="avatar"
      part="avatar"
      alt=""
      width="32"
      height="32"
      loading="lazy"
      decoding="async"
      referrerpolicy="no-referrer"
      src={address.startsWith('/') ? start.service + address : address}
    />
  )
}

const Badges = ({
  comment: { author, pinned, locked, status },
  own,
  location,
}: {
  comment: Comment
  own: boolean
  location: string | null | undefined
}) => {
  const { t } = useModel()
  const role = author!.role
  const badges = [
    role !== 'reader' && t(`role.${role}`) + (location ? `, ${location}` : ''),
    own && t('own'),
    pinned && t('pinned'),
    locked && t('locked'),
    status === 'pending' && t('pending'),
  ].filter((badge) => badge !== false)
  return (
    <>
      {badges.map((badge) => (
        <span key={badge} class="badge" part="badge">
          {badge}
        </span>
      ))}
    </>
  )
}

/** A thread in a language that the widget does not speak: its buttons are English, its comments are not. */
const Body = ({ html }: { html: string }) => {
  const { lang, wanted } = useModel()
  const nodes = useMemo(() => parseBody(html), [html])
  return (
    <div class="body" lang={lang === wanted ? undefined : wanted} dir="auto" part="body">
      {nodes}
    </div>
  )
}

const CollapseButton = ({ id, isCollapsed }: { id: string; isCollapsed: boolean }) => {
  const { t, collapse, store } = useModel()
  const replies = isCollapsed ? countReplies(store.state().tree, id) : 0
  return (
    <button
      type="button"
      class="quiet"
      aria-expanded={!isCollapsed}
      onClick={() => collapse(id, !isCollapsed)}
    >
      {isCollapsed ? t('expand', { n: replies }) : t('collapse')}
    </button>
  )
}

const Actions = ({ comment, own, panel, vote: value, may }: Shown) => {
  const { t, openPanel, store } = useModel()
  const { id, status } = comment
  const toggle = (name: typeof panel) => openPanel(id, panel === name ? undefined : name)
  const [reply, voting] = may.split(' ')
  const isCounted = status === 'approved' && store.state().config?.voting !== 'off'
  const mayVote = voting && !own
  return (
    <div class="actions" part="actions">
      {isCounted && !mayVote && (
        <span class="score" part="score">
          {t('score', { n: comment.score })}
        </span>
      )}
      {mayVote && <VoteButton comment={comment} of={1} value={value} />}
      {mayVote && voting === 'all' && <VoteButton comment={comment} of={-1} value={value} />}
      {reply && (
        <button
          type="button"
          id={`${id}-reply`}
          part="reply"
          aria-expanded={panel === 'reply'}
          onClick={() => toggle('reply')}
        >
          {t('reply')}
        </button>
      )}
      <button
        type="button"
        class="quiet"
        id={`${id}-actions`}
        aria-expanded={panel === 'actions'}
        aria-label={t('actions')}
        onClick={() => toggle('actions')}
      >
        ⋯
      </button>
      {panel === 'actions' && <MoreActions comment={comment} own={own} />}
    </div>
  )
}

const VoteButton = ({
  comment: { id, score },
  of,
  value,
}: {
  comment: Comment
  of: 1 | -1
  value: number
}) => {
  const model = useModel()
  const { t } = model
  const isUp = of === 1
  return (
    <button
      type="button"
      class="quiet"
      part={isUp ? 'vote score' : 'vote'}
      aria-pressed={value === of}
      aria-label={isUp ? `${t('vote_up')}, ${t('score', { n: score })}` : t('vote_down')}
      onClick={() => vote(model, id, of)}
    >
      {isUp ? `▲ ${score}` : '▼'}
    </button>
  )
}

/** Actions that readers seldom need are drawn when a reader asks for them. */
const MoreActions = ({ comment, own }: { comment: Comment; own: boolean }) => {
  const { t, openPanel, jump, secondsUntil } = useModel()
  const { id, status } = comment
  const [viewer, reported, next, thread, locked] = useThread((state) => [
    state.viewer,
    state.reported[id],
    neighbourOf(state.tree, id),
    state.thread,
    isLocked(state.tree, id),
  ])
  const mayEdit =
    own && thread?.state !== 'locked' && !locked && secondsUntil(editableUntil(viewer, comment)) > 0
  const { parent_id: parent } = comment
  return (
    <>
      {mayEdit && (
        <button type="button" onClick={() => openPanel(id, 'edit')}>
          {t('edit')}
        </button>
      )}
      {own && (
        <button type="button" onClick={() => openPanel(id, 'delete')}>
          {t('delete')}
        </button>
      )}
      {own && status === 'pending' && (
        <button type="button" onClick={() => openPanel(id, 'appeal')}>
          {t('why')}
        </button>
      )}
      {!own && status === 'approved' && (
        <button
          type="button"
          id={`${id}-report`}
          disabled={reported}
          onClick={() => openPanel(id, 'report')}
        >
          {t('report')}
        </button>
      )}
      <a href={`#${id}`}>{t('link')}</a>
      {parent && (
        <button type="button" onClick={() => jump(parent)}>
          {t('parent')}
        </button>
      )}
      {next && next !== parent && (
        <button type="button" onClick={() => jump(next)}>
          {t('next')}
        </button>
      )}
    </>
  )
}
