import { randomUUID } from 'node:crypto'
import t from 'tap'
import type { Answer } from '../../races/client.ts'
import { AS_ADMIN, openRace, type ProcessNode } from '../../races/race.ts'
import { type Story, tellStory } from '../../races/story.ts'
import { skipOwn } from '../../redis/own-server.ts'
import { until } from '../../start.ts'

/** From now on the node dies as soon as it is about to announce something. */
const arm = async ({ process }: ProcessNode): Promise<void> => {
  process.child.kill('SIGUSR2')
  await until('for the node to be armed', () => process.out().includes('armed'))
}

t.test('a comment hidden by a node that was killed is not shown', { skip: skipOwn }, async (t) => {
  const race = await openRace(t)
  const survivor = await race.openService()
  const doomed = await Promise.all([race.openProcess(), race.openProcess(), race.openProcess()])

  /** The same request to the node that is killed, and then to the other one. */
  const repeat = async (
    article: string,
    node: ProcessNode,
    hide: (story: Story, site: string) => Promise<Answer>,
  ) => {
    const story = await tellStory(race, survivor, article)
    await story.warm(node)
    await arm(node)
    await story.warm(survivor)
    const [first] = await Promise.allSettled([hide(story, node.site)])
    const shown = await story.countShown(survivor)
    const answer = await hide(story, survivor.site)
    story.hid(answer)
    const faults = await story.look(survivor)
    await node.process.ended()
    return { first: first.status, signal: node.process.child.signalCode, shown, answer, faults }
  }

  const titles = {
    conflict: 'after another moderator is told that it was decided',
    replay: 'after the answer to the same Idempotency-Key',
    again: 'after it is deleted once more',
  }

  await t.test(titles.conflict, async (t) => {
    const hide = ({ id }: Story, site: string) =>
      race.send(`${site}/comments/${id}/decisions`, {
        method: 'POST',
        headers: AS_ADMIN,
        body: { from: 'approved', to: 'rejected' },
      })
    const { first, signal, answer, faults, shown } = await repeat('conflict', doomed[0], hide)
    t.match({ first, signal }, { first: 'rejected', signal: 'SIGKILL' }, 'no 200 was sent')
    t.equal(JSON.parse(answer.text).code, 'decision_conflict', 'it was committed')
    t.same(faults, [])
    t.comment(`${shown} readings showed it before`)
  })

  await t.test(titles.replay, async (t) => {
    const key = { 'idempotency-key': randomUUID() }
    const hide = ({ id }: Story, site: string) =>
      race.send(`${site}/comments/${id}/decisions`, {
        method: 'POST',
        headers: { ...AS_ADMIN, ...key },
        body: { from: 'approved', to: 'spam' },
      })
    const { first, signal, answer, faults, shown } = await repeat('replay', doomed[1], hide)
    t.match({ first, signal }, { first: 'rejected', signal: 'SIGKILL' }, 'no 200 was sent')
    t.equal(answer.status, 201)
    t.same(faults, [])
    t.comment(`${shown} readings showed it before`)
  })

  await t.test(titles.again, async (t) => {
    const hide = ({ id }: Story, site: string) =>
      race.send(`${site}/comments/${id}`, { method: 'DELETE', headers: AS_ADMIN })
    const { first, signal, answer, faults, shown } = await repeat('again', doomed[2], hide)
    t.match({ first, signal }, { first: 'rejected', signal: 'SIGKILL' }, 'no 200 was sent')
    t.equal(answer.status, 204)
    t.equal(answer.headers['thread-version'], undefined, 'it was deleted before')
    t.same(faults, [])
    t.comment(`${shown} readings showed it before`)
  })
})
