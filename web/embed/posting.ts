import { pageAddress } from './addresses.ts'
import { type Answer, learnTime, pause, Refused, tree } from './shared.ts'
import type { Guest } from './thread/identity.ts'
import type { Model } from './thread/model.ts'
import type { Comment, Posted } from './wire.ts'

const IN_FLIGHT_ATTEMPTS = 5

/** Waits for an attempt of the same intent that is still in progress. */
const finish = async <T>(attempt: () => Promise<Answer<T>>): Promise<Answer<T>> => {
  for (let made = 1; ; made++) {
    try {
      return await attempt()
    } catch (error) {
      const isInFlight = error instanceof Refused && error.code === 'idempotency_in_flight'
      if (!isInFlight || made === IN_FLIGHT_ATTEMPTS) throw error
      await pause(1000)
    }
  }
}

export type Posting = {
  readonly parent: string
  readonly body: string
  /** The name and the address of a guest; undefined for a member. */
  readonly guest: Guest | undefined
  readonly key: string
}

/** Posts a comment and shows it, published or held. @returns false if the page cancelled it */
export const postComment = async (model: Model, posting: Posting): Promise<boolean> => {
  const { identity, address, store, t } = model
  const { parent, guest, key } = posting
  const detail = { body: posting.body, parent: parent || null }
  if (!model.emit('before-post', detail, true)) return false
  const author = guest && {
    name: guest.name,
    ...(guest.email && { email: guest.email }),
    ...(guest.url && { url: guest.url }),
  }
  const title = store.state().thread?.title ? undefined : document.title.slice(0, 200) || undefined
  const body = {
    body: detail.body,
    ...(parent && { parent_id: parent }),
    ...(author && { author }),
    ...(title && { article: { title, url: pageAddress() } }),
  }
  const answer = await finish(() =>
    model.send<Posted>({ method: 'POST', address: `${address}/comments`, body, key }),
  )
  const { guest_token: token, now, ...comment } = answer.body
  learnTime(now)
  if (guest) identity.keepGuest({ ...guest, ...(token && { token }) })
  const isHeld = answer.status === 202
  store.change((old) => ({
    tree: tree.putComment(old.tree, comment),
    thread: old.thread && {
      ...old.thread,
      comment_count: old.thread.comment_count + (isHeld ? 0 : 1),
    },
    panels: { ...old.panels, [parent]: undefined },
    collapsed: { ...old.collapsed, [parent]: false },
    notices: { ...old.notices, [parent]: undefined },
  }))
  model.say(t(isHeld ? 'held' : 'posted'))
  model.emit(isHeld ? 'held' : 'post', { comment })
  // The answer has no viewer: who the reader is now, and when they may post again.
  await model.loadViewer()
  model.focus(comment.id)
  return true
}

/** Saves an edit of the revision that its author saw. */
export const editComment = async (
  model: Model,
  { id, body, revision, key }: { id: string; body: string; revision: number; key: string },
): Promise<void> => {
  const answer = await finish(() =>
    model.send<Posted>({
      method: 'PATCH',
      address: `${model.base}/comments/${id}`,
      body: { body },
      ifMatch: revision,
      key,
    }),
  )
  const { now, ...comment } = answer.body
  learnTime(now)
  model.store.change((old) => ({
    tree: tree.putComment(old.tree, comment),
    panels: { ...old.panels, [id]: undefined },
  }))
  model.say(model.t(answer.status === 202 ? 'held' : 'saved'))
  model.emit('edit', { comment })
  model.focus(id)
}

/** Reads an own comment anew, for an author who edits it on two devices. */
export const readComment = async (model: Model, id: string): Promise<Comment> =>
  (await model.send<Comment>({ address: `${model.base}/comments/${id}` })).body

export const previewComment = async (
  model: Model,
  body: string,
  signal: AbortSignal,
): Promise<string> => {
  const request = { method: 'POST', address: `${model.base}/preview`, body: { body }, signal }
  return (await model.send<{ body_html: string }>(request)).body.body_html
}
