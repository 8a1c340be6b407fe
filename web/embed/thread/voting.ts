import type { Model } from './model.ts'
import * as tree from './tree.ts'

/** Votes, or takes the vote back. The number changes immediately and returns if the vote is refused. */
export const vote = async (model: Model, id: string, pressed: 1 | -1): Promise<void> => {
  const { store, identity, t } = model
  const before = store.state()
  const known = before.votes[id] ?? 0
  const value = known === pressed ? 0 : pressed
  const setVote = (vote: -1 | 0 | 1, score: number): void =>
    store.change((old) => ({
      tree: tree.changeComment(old.tree, id, { score }),
      votes: { ...old.votes, [id]: vote },
    }))
  const { score } = before.tree.comments[id]!
  setVote(value, score + value - known)
  try {
    const token = await identity.tokenToAct(t('guest'))
    const { body } = await model.send<{ score: number }>({
      method: 'PUT',
      address: `${model.base}/comments/${id}/vote`,
      body: { value },
      key: crypto.randomUUID(),
      token,
    })
    setVote(value, body.score)
    model.notice(id, undefined)
    model.emit('vote', { id, value, score: body.score })
    if (!before.viewer) await model.loadViewer()
  } catch (error) {
    setVote(known, score)
    model.refuse(id, error, 'voteComment')
  }
}
