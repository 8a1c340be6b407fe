import t from 'tap'
import type { Answer, Ask } from '../../races/client.ts'
import { AS_ADMIN, type Node, openRace, type Race, untilRedisIs } from '../../races/race.ts'
import { type Story, tellStory } from '../../races/story.ts'
import type { Hide } from '../../races/witness.ts'
import { skipOwn } from '../../redis/own-server.ts'

/** The request that hides, and what is gone then if it is not just the comment. */
type Act = { readonly path: string; readonly ask: Ask; readonly what?: Partial<Hide> }

const decide = ({ id }: Story, to: string, more: object = {}): Act => ({
  path: `/comments/${id}/decisions`,
  ask: { method: 'POST', headers: AS_ADMIN, body: { from: 'approved', to, ...more } },
})

const remove = ({ id }: Story, headers: Record<string, string>): Act => ({
  path: `/comments/${id}`,
  ask: { method: 'DELETE', headers },
})

const replace = ({ id, mark }: Story, headers: Record<string, string>): Act => ({
  path: `/comments/${id}`,
  ask: { method: 'PATCH', headers, body: { body: 'Another text' } },
  what: { gone: [mark], comments: 0 },
})

const asAuthor = ({ token }: Story) => ({ authorization: `Bearer ${token}` })

/** Every way in which readers can lose sight of a text. */
const HIDES: Record<string, (story: Story) => Act | Promise<Act>> = {
  rejected: (story) => decide(story, 'rejected'),
  spam: (story) => decide(story, 'spam'),
  deleted: (story) => decide(story, 'deleted'),
  held: (story) => decide(story, 'pending'),
  'with-its-reply': async (story) => {
    const reply = await story.postAnother(story.id)
    const gone = [story.id, story.mark, reply.id, reply.mark]
    const what = { gone, comments: 2 }
    return { ...decide(story, 'rejected', { replies: 'same' }), what }
  },
  'below-a-reply': async (story) => {
    await story.postAnother(story.id)
    return { ...decide(story, 'rejected'), what: { gone: [story.mark] } }
  },
  'by-a-moderator': (story) => remove(story, AS_ADMIN),
  'by-its-author': (story) => remove(story, asAuthor(story)),
  'edited-by-a-moderator': (story) => replace(story, AS_ADMIN),
  'edited-by-its-author': (story) => replace(story, asAuthor(story)),
  'with-its-thread': ({ article }) => ({
    path: `/articles/${article}`,
    ask: { method: 'PATCH', headers: AS_ADMIN, body: { state: 'hidden' } },
    // As if it had never been there.
    what: { version: 0 },
  }),
}

/** One comment for each way of hiding it. */
const tellAll = (race: Race, node: Node, prefix: string) =>
  Promise.all(
    Object.entries(HIDES).map(async ([name, seedDatabase]) => {
      const story = await tellStory(race, node, `${prefix}-${name}`)
      return { name, story, act: await seedDatabase(story) }
    }),
  )

type StoreEffects = Awaited<ReturnType<typeof tellAll>>[number]

/** @returns why it is not hidden, if so */
const hide = async (
  { send }: Race,
  { site }: Node,
  { story, act }: StoreEffects,
): Promise<string[]> => {
  const answer: Answer = await send(`${site}${act.path}`, act.ask)
  story.hid(answer, act.what)
  return answer.status < 300 ? [] : [`${answer.status} ${answer.text}`]
}

t.test('hidden comments on two nodes', { skip: skipOwn }, async (t) => {
  const race = await openRace(t)
  const nodes = await Promise.all([race.openService(), race.openService()])
  const [first, second] = nodes

  await t.test('a comment hidden in any way on one node is not shown by another', async (t) => {
    for (const told of await tellAll(race, first, 'healthy')) {
      await told.story.warm(second)
      t.same(await hide(race, first, told), [])
      t.same(await told.story.look(second), [], told.name)
    }
  })

  await t.test('a comment hidden by a node without Redis is not shown by another', async (t) => {
    const all = await tellAll(race, first, 'alone')
    first.link.cut()
    await untilRedisIs('away', race.send, first)
    const readAll = () => Promise.all(all.map(({ story }) => story.warm(second)))
    await readAll()
    let isOver = false
    const readOn = async (): Promise<void> => {
      while (!isOver) await readAll()
    }
    const reading = readOn()
    const hideAndLook = async (told: StoreEffects) => {
      t.same(await hide(race, first, told), [])
      t.same(await told.story.lookConfirmed(second), [], told.name)
    }
    await Promise.all(all.map(hideAndLook))
    isOver = true
    await reading
  })
})
