import t from 'tap'
import { FIRST } from '../../ids.ts'
import { startCluster } from '../../redis/own-cluster.ts'
import { skipOwn } from '../../redis/own-server.ts'
import { createDatabase } from '../../servers.ts'
import { start, until } from '../../start.ts'

const KEY = 'a-key-of-more-than-thirty-two-characters'
const SITE = '/v1/sites/default'
const ARTICLE = `${SITE}/articles/hello/comments`
const LIMIT = 5
const DECISIONS = 20

const sendTo = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })

const postTo = (node: string, body: string, address = '192.0.2.1') =>
  sendTo(`${node}${ARTICLE}`, { body, author: { name: 'Ada' } }, { 'x-forwarded-for': address })

const bodiesAt = async (node: string): Promise<string[]> => {
  const answer = await fetch(`${node}${ARTICLE}?sort=oldest`)
  const { items } = (await answer.json()) as { items: { body: string }[] }
  return items.map(({ body }) => body)
}

t.test('two nodes on one cluster', { skip: skipOwn }, async (t) => {
  const { url: database } = await createDatabase(t)
  const { url: redis } = await startCluster(t)
  const settings = {
    DATABASE_URL: database,
    REDIS_URL: redis,
    AFTERWORD_ADMIN_KEY: KEY,
    AFTERWORD_LIMIT_WRITE: `${LIMIT}`,
    AFTERWORD_TRUSTED_PROXIES: '127.0.0.1',
  }
  const services = [start(t, settings), start(t, settings)]
  const [one, other] = (await Promise.all(services.map((service) => service.ready()))) as [
    string,
    string,
  ]
  for (const node of [one, other]) {
    // Not `ok` as a whole: the Postgres of the tests would not survive a power cut.
    await until('for redis', async () => {
      const answer = await fetch(`${node}/readyz`)
      const { checks } = (await answer.json()) as { checks: Record<string, string> }
      return answer.ok && checks.redis === 'ok'
    })
  }

  t.test('two nodes on a cluster: a post at one is read at the other immediately', async (t) => {
    t.same(await bodiesAt(other), [])
    t.equal((await postTo(one, 'First!')).status, 201)
    t.same(await bodiesAt(other), ['First!'])
    t.same(await bodiesAt(one), ['First!'])
  })

  t.test(
    'two nodes on a cluster: a decision at one holds at the other immediately, every time',
    async (t) => {
      const decide = async (from: string, to: string) => {
        const authorization = { authorization: `Bearer ${KEY}` }
        const answer = await sendTo(
          `${one}${SITE}/comments/${FIRST}/decisions`,
          { from, to, revision: 1 },
          authorization,
        )
        t.equal(answer.status, 201)
      }
      for (let i = 0; i < DECISIONS; i++) {
        t.same(await bodiesAt(other), ['First!'])
        await decide('approved', 'rejected')
        t.same(await bodiesAt(other), [])
        await decide('rejected', 'approved')
      }
    },
  )

  t.test('two nodes on a cluster share one limit of writes', async (t) => {
    const nodes = [one, other, one, other, one, other, one]
    let address = 0
    // Again with another address after a late answer of redis, as there is on a busy machine.
    const isOne = await until('for exactly as many as one node would take', async () => {
      address += 1
      const statuses: number[] = []
      for (const node of nodes)
        statuses.push((await postTo(node, `At ${node}`, `198.51.100.${address}`)).status)
      return statuses.join() === '201,201,201,201,201,429,429'
    })
    t.ok(isOne)
  })

  t.test('two nodes on a cluster stop as without one', async (t) => {
    t.same(await Promise.all(services.map((service) => service.stop())), [0, 0])
  })
})
