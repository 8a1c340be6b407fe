import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Answer } from '../../races/client.ts'
import { runLoad } from '../../races/load.ts'
import { AS_ADMIN, type Node, openRace, type Race } from '../../races/race.ts'
import { skipOwn } from '../../redis/own-server.ts'
import { until } from '../../start.ts'

const ENCODINGS = ['identity', 'gzip', 'br']

const PATHS = ['/articles/a', '/articles/a/comments', '/articles/a/comments?view=flat&sort=top']

/** The tag of every path in every encoding. */
const readTags = async ({ send }: Race, { site }: Node) => {
  const questions = PATHS.flatMap((path) => ENCODINGS.map((encoding) => ({ path, encoding })))
  return Promise.all(
    questions.map(async ({ path, encoding }) => {
      const { headers } = await send(`${site}${path}`, { headers: { 'accept-encoding': encoding } })
      return { path, encoding, etag: headers.etag!, content: headers['content-encoding'] }
    }),
  )
}
type Tag = Awaited<ReturnType<typeof readTags>>[number]

/** The response of a node to a conditional request. */
const ask = async ({ send }: Race, { site }: Node, { path, encoding, etag }: Tag) => {
  const headers = { 'accept-encoding': encoding, 'if-none-match': etag }
  return (await send(`${site}${path}`, { headers })).status
}

const askAll = async (race: Race, node: Node, tags: readonly Tag[]): Promise<Set<number>> =>
  new Set(await Promise.all(tags.map((tag) => ask(race, node, tag))))

/** @returns tags under which different bodies were sent */
const compareBodies = async (race: Race, nodes: readonly Node[]): Promise<string[]> => {
  /** The hash of a body, and who has sent it. */
  const bodies = new Map<string, { hash: string; nodes: Set<Node> }>()
  const different: string[] = []
  const see = (node: Node, path: string, { status, headers, bytes }: Answer): void => {
    if (status !== 200) return
    const name = `${path} ${headers['content-encoding']} ${headers.etag}`
    const hash = createHash('sha256').update(bytes).digest('hex')
    const body = bodies.get(name) ?? { hash, nodes: new Set() }
    bodies.set(name, body)
    body.nodes.add(node)
    if (body.hash !== hash) different.push(name)
  }
  const isEnough = () => [...bodies.values()].filter(({ nodes }) => nodes.size === 2).length > 20
  await runLoad(race, nodes, { article: 'tags', see }, async () => {
    await sleep(1_000)
    await until('for both nodes to send the same often enough', isEnough)
  })
  return different
}

t.test('an entity tag', { skip: skipOwn }, async (t) => {
  const race = await openRace(t)
  const nodes = [await race.openService(), await race.openService()] as const
  const { send } = race

  await t.test('an entity tag names one body, byte for byte, on every node', async (t) => {
    t.same(await compareBodies(race, nodes), [])
  })

  const post = async (body: string): Promise<string> => {
    const author = { name: 'Ada' }
    const path = `${nodes[0].site}/articles/a/comments`
    const answer = await send(path, { method: 'POST', headers: AS_ADMIN, body: { body, author } })
    return JSON.parse(answer.text).id
  }
  await post('long '.repeat(400))
  const fresh = async (t: Test): Promise<Tag[]> => {
    const tags = await readTags(race, nodes[0])
    for (const node of nodes) t.same(await askAll(race, node, tags), new Set([304]), 'still true')
    return tags
  }

  await t.test('an entity tag is invalid after a hide', async (t) => {
    const id = await post('to be hidden')
    const tags = await fresh(t)
    const body = { from: 'approved', to: 'rejected' }
    const path = `${nodes[0].site}/comments/${id}/decisions`
    t.equal((await send(path, { method: 'POST', headers: AS_ADMIN, body })).status, 201)
    for (const node of nodes) t.same(await askAll(race, node, tags), new Set([200]))
  })

  await t.test('an entity tag is invalid for another encoding', async (t) => {
    const tags = (await fresh(t)).filter(({ path }) => path !== '/articles/a')
    t.same(new Set(tags.map(({ content }) => content)), new Set([undefined, 'gzip', 'br']))
    for (const tag of tags) {
      const others = ENCODINGS.filter((encoding) => encoding !== tag.encoding)
      const wrong = others.map((encoding) => ({ ...tag, encoding }))
      t.same(await askAll(race, nodes[1], wrong), new Set([200]))
    }
    t.equal(new Set(tags.map(({ etag }) => etag)).size, tags.length, 'every one has its own')
  })

  await t.test(
    'an entity tag is invalid under changed settings, on the other node within a second',
    async (t) => {
      const tags = (await fresh(t)).filter(({ path }) => path !== '/articles/a')
      const change = { method: 'PATCH', headers: AS_ADMIN, body: { edit_window_seconds: 77 } }
      t.equal((await send(nodes[0].site, change)).status, 200)
      t.same(await askAll(race, nodes[0], tags), new Set([200]))
      await until('for the other node to know', async () => {
        const statuses = await askAll(race, nodes[1], tags)
        return statuses.has(200) && !statuses.has(304)
      })
    },
  )

  await t.test('an entity tag is invalid for another build', async (t) => {
    const tags = (await fresh(t)).filter(({ path }) => path !== '/articles/a')
    const newer = await race.openService({ weakness: { version: '0.0.1' } })
    t.same(await askAll(race, newer, tags), new Set([200]))
  })
})
