import t, { type Test } from 'tap'
import { skipOwn } from '../redis/own-server.ts'
import { until } from '../start.ts'
import type { Answer } from './client.ts'
import { AS_ADMIN, type Node, openRace, type Race } from './race.ts'
import { nextMark } from './story.ts'

/** A hide whose invalidation was late must not have responded before. */
const ANNOUNCE_MS = 50
const LIMIT = 20

const post = ({ send }: Race, { site }: Node, article: string, body: string): Promise<Answer> =>
  send(`${site}/articles/${article}/comments`, {
    method: 'POST',
    headers: AS_ADMIN,
    body: { body, author: { name: 'Ada' } },
  })

/** Whether the other nodes were told: on a machine that is busy with others it may be too late. */
const isTold = ({ begun, ended }: Answer): boolean => ended - begun < ANNOUNCE_MS

/** Posts on one node and reads on another immediately, naming the version if that is needed. */
const readBack = async (race: Race, [writer, reader]: Node[], article: string) => {
  const mark = nextMark()
  const posted = await post(race, writer!, article, `Some ${mark} text`)
  const atLeast = `at_least=${String(posted.headers['thread-version'])}`
  const paths = [
    `/articles/${article}/comments?`,
    `/articles/${article}/comments?view=flat&limit=100&`,
    `/comments/${JSON.parse(posted.text).id}?`,
  ]
  const urls = isTold(posted)
    ? [...paths, '/comments?'].map((path) => `${reader!.site}${path}`)
    : paths.map((path) => `${reader!.site}${path}${atLeast}`)
  const answers = await Promise.all(urls.map((url) => race.send(url)))
  return {
    isTold: isTold(posted),
    missing: urls.filter((_, n) => !answers[n]!.text.includes(mark)),
  }
}

const behaveAsOne = async (t: Test, race: Race, nodes: readonly Node[]): Promise<void> => {
  const article = `of-${nodes.length}`
  const pairs = nodes.flatMap((one) => nodes.map((other) => [one, other]))
  const posts: Awaited<ReturnType<typeof readBack>>[] = []
  await until('for comments to be read at once', async () => {
    for (const pair of pairs) posts.push(await readBack(race, pair, article))
    return posts.filter((one) => one.isTold).length > 1
  })
  const missing = posts.flatMap((one) => one.missing)
  t.same(missing, [])
  await until('for all nodes to count the same', async () => {
    const counts = nodes.map(({ site }) => race.send(`${site}/counts?article_id=${article}`))
    const texts = (await Promise.all(counts)).map(({ text }) => JSON.parse(text))
    return texts.every((count) => count[article].comment_count === posts.length)
  })
}

/** Hides a comment, and shows it again. */
const readApproved = async (race: Race, [one, other]: Node[], article: string) => {
  const posted = await post(race, one!, article, `Some ${nextMark()} text`)
  const { id } = JSON.parse(posted.text)
  const read = (query = '') => race.send(`${other!.site}/comments/${id}?${query}`)
  const decide = (from: string, to: string) =>
    race.send(`${one!.site}/comments/${id}/decisions`, {
      method: 'POST',
      headers: AS_ADMIN,
      body: { from, to, revision: 1 },
    })
  await decide('approved', 'spam')
  const hidden = await read()
  const approved = await decide('spam', 'approved')
  const version = String(approved.headers['thread-version'])
  const shown = await read(isTold(approved) ? '' : `at_least=${version}`)
  return [hidden.status, shown.status]
}

/** @returns how many writes of one caller the nodes took, in turn */
const countTaken = async (t: Test, race: Race, nodes: readonly Node[], address: string) => {
  let taken = 0
  for (let n = 0; n < LIMIT + 6; n++) {
    const { status } = await race.send(`${nodes[n % nodes.length]!.site}/guests`, {
      method: 'POST',
      headers: { 'x-forwarded-for': address },
      body: { name: 'Ada' },
    })
    if (status === 201) taken += 1
    else if (status !== 429) t.fail(`answered ${status}`)
  }
  return taken
}

t.test('two and three nodes behave as one service', { skip: skipOwn }, async (t) => {
  const race = await openRace(t)
  const settings = {
    AFTERWORD_LIMIT_WRITE: String(LIMIT),
    AFTERWORD_TRUSTED_PROXIES: '127.0.0.1',
  }
  const nodes = await Promise.all([1, 2, 3].map(() => race.openService({ settings })))

  await t.test('each of two nodes shows what the other accepted', (t) =>
    behaveAsOne(t, race, nodes.slice(0, 2)),
  )
  await t.test('each of three nodes shows what the others accepted', (t) =>
    behaveAsOne(t, race, nodes),
  )
  await t.test('a comment approved on one node is shown by the others immediately', async (t) => {
    for (const pair of nodes.flatMap((one) => nodes.map((other) => [one, other])))
      t.same(await readApproved(race, pair, 'approved'), [404, 200])
  })
  await t.test('three nodes share the limits of writers', async (t) => {
    const counts: number[] = []
    // While Redis is late, a node counts by itself: never less than it should, and not exactly.
    await until('for an exact count', async () => {
      counts.push(await countTaken(t, race, nodes, `10.0.${counts.length}.1`))
      return counts.at(-1) === LIMIT
    })
    t.ok(Math.min(...counts) >= LIMIT, 'never refused too early')
  })
})
