import { tree } from './shared.ts'
import type { Model } from './thread/model.ts'
import type { Author, Statement } from './wire.ts'

export const deleteComment = async (model: Model, id: string, key: string): Promise<void> => {
  const { store } = model
  await model.send({ method: 'DELETE', address: `${model.base}/comments/${id}`, key })
  const next = tree.neighbourOf(store.state().tree, id)
  const wasShown = store.state().tree.comments[id]?.status === 'approved'
  store.change((old) => ({
    tree: tree.removeComment(old.tree, id),
    panels: { ...old.panels, [id]: undefined },
    viewer: old.viewer && {
      ...old.viewer,
      pending: old.viewer.pending.filter((held) => held.id !== id),
    },
    thread: old.thread && {
      ...old.thread,
      comment_count: old.thread.comment_count - (wasShown ? 1 : 0),
    },
  }))
  model.say(model.t('deleted'))
  model.emit('delete', { id })
  model.focus(store.state().tree.comments[id] ? id : (next ?? 'comments'))
}

export const flagComment = async (
  model: Model,
  { id, reason, note, key }: { id: string; reason: string; note: string; key: string },
): Promise<void> => {
  const token = await model.identity.tokenToAct(model.t('guest'))
  const address = `${model.base}/comments/${id}/flags`
  const body = { reason, ...(note.trim() && { note: note.trim() }) }
  await model.send({ method: 'POST', address, body, key, token })
  model.store.change(({ reported, panels }) => ({
    reported: { ...reported, [id]: true },
    panels: { ...panels, [id]: undefined },
  }))
  model.notice(id, { text: model.t('reported'), isAlert: false })
  model.say(model.t('reported'))
  model.emit('flag', { id, reason })
}

export const readStatement = async (model: Model, id: string): Promise<Statement> =>
  (await model.send<Statement>({ address: `${model.base}/comments/${id}/statement` })).body

export const appealDecision = (model: Model, id: string, text: string, key: string) =>
  model.send({
    method: 'POST',
    address: `${model.base}/comments/${id}/appeals`,
    body: { text },
    key,
  })

/** A code that carries the guest of this device to another one. */
export const transferGuest = async (model: Model): Promise<string> => {
  const address = `${model.base}/guests/transfer`
  return (await model.send<{ code: string }>({ method: 'POST', address })).body.code
}

/** Takes the guest of another device over. */
export const claimGuest = async (model: Model, code: string): Promise<Author> => {
  const address = `${model.base}/guests/claim`
  const { body } = await model.send<{ guest_token: string; author: Author }>({
    method: 'POST',
    address,
    body: { code },
  })
  model.identity.keepGuest({ token: body.guest_token, name: body.author.name })
  await model.loadViewer()
  return body.author
}
