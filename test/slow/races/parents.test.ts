import pg from 'pg'
import t from 'tap'
import { createDb } from '../../../src/postgres/connection/db.ts'
import { IDS } from '../../ids.ts'
import type { Answer } from '../../races/client.ts'
import { AS_ADMIN, type Node, openRace, type Race } from '../../races/race.ts'
import { type Story, tellStory } from '../../races/story.ts'
import { recount } from '../../recount.ts'
import { skipOwn } from '../../redis/own-server.ts'
import { until } from '../../start.ts'

/** All of them must wait before the first one gives up. */
const PAIRS = 4

/** Locks threads, so that writes to them wait until the test releases all locks together. */
const openBarrier = async (
  t: { teardown: (callback: () => unknown) => void },
  databaseUrl: string,
) => {
  const client = new pg.Client({ connectionString: databaseUrl })
  client.on('error', () => {})
  await client.connect()
  t.teardown(() => client.end())
  const count = async (): Promise<number> => {
    const { rows } = await client.query(`
      select count(*)::int as number from pg_locks
      where locktype = 'advisory' and not granted
        and database = (select oid from pg_database where datname = current_database())`)
    return rows[0].number
  }
  return {
    hold: ({ id }: Story) =>
      client.query('select pg_advisory_lock($1)', [IDS.readComment(id)!.threadId]),
    release: () => client.query('select pg_advisory_unlock_all()'),
    untilWaiting: (number: number) =>
      until(`for ${number} writers to wait`, async () => (await count()) >= number),
  }
}

let replies = 0

const reply = ({ send }: Race, { site }: Node, story: Story, article: string) =>
  send(`${site}/articles/${article}/comments`, {
    method: 'POST',
    headers: AS_ADMIN,
    body: { body: `Reply ${replies++}`, author: { name: 'Grace' }, parent_id: story.id },
  })

const titles = {
  atOnce: 'a reply and a hide of its parent, let go at once: below what was visible, or refused',
  after: 'a reply that begins after the hide of its parent is refused on every node',
}

t.test('replies and hides of their parents', { skip: skipOwn }, async (t) => {
  const race = await openRace(t)
  const settings = { AFTERWORD_POOL: '40' }
  const nodes = [
    await race.openService({ settings }),
    await race.openService({ settings }),
  ] as const
  const { db, close } = createDb({ url: race.databaseUrl, max: 1, onError: () => {} })
  t.teardown(close)
  const stories = await Promise.all(
    Array.from({ length: PAIRS }, async (_, n) => {
      const article = `parent-${n}`
      return { article, story: await tellStory(race, nodes[n % 2]!, article) }
    }),
  )

  await t.test(titles.atOnce, async (t) => {
    const barrier = await openBarrier(t, race.databaseUrl)
    for (const { story } of stories) await barrier.hold(story)
    // Writes wait in the order of arrival: half of the replies come first, and the hides of the other half.
    const pairs = stories.map(({ story, article }, n) => {
      const reply_ = () => reply(race, nodes[n % 2]!, story, article)
      const hide = () => story.decide(nodes[(n + 1) % 2]!)
      const isReplyFirst = n % 4 < 2
      const first = isReplyFirst ? reply_() : hide()
      return { first, second: isReplyFirst ? hide : reply_, isReplyFirst }
    })
    await barrier.untilWaiting(PAIRS)
    const both = pairs.map(({ first, second, isReplyFirst }) => {
      const later = second()
      return Promise.all(isReplyFirst ? [first, later] : [later, first])
    })
    await barrier.untilWaiting(2 * PAIRS)
    await barrier.release()
    const answers = await Promise.all(both)

    t.same(new Set(answers.map(([, { status }]) => status)), new Set([201]), 'all are hidden')
    t.same(answers.flatMap(faultsOf), [])
    t.same(new Set(answers.map(([{ status }]) => status)), new Set([201, 422]), 'both came up')
    t.same(await recount(db), [])
  })

  await t.test(titles.after, async (t) => {
    for (const node of nodes) {
      const replies = stories.map(({ story, article }) => reply(race, node, story, article))
      const codes = (await Promise.all(replies)).map(({ text }) => JSON.parse(text).code)
      t.same(new Set(codes), new Set(['parent_not_found']))
      const pages = stories.map(({ article }) =>
        race.send(`${node.site}/articles/${article}/comments`),
      )
      const texts = (await Promise.all(pages)).map(({ text }) => text)
      t.notOk(texts.some((text, n) => text.includes(stories[n]!.story.mark)))
    }
    t.same(await recount(db), [])
  })
})

/** A reply is accepted only if it is stored before its parent is hidden. */
const faultsOf = ([replied, hidden]: readonly Answer[]): string[] => {
  const [reply, hide] = [replied!, hidden!].map(({ headers }) => Number(headers['thread-version']))
  if (replied!.status === 201) return reply! < hide! ? [] : [`${reply} is not before ${hide}`]
  const { code } = JSON.parse(replied!.text)
  return code === 'parent_not_found' ? [] : [code]
}
