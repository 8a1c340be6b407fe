import t from 'tap'
import { skipShared } from '../redis/own-server.ts'
import { createDatabase } from '../servers.ts'
import { start, until } from '../start.ts'

const SITE = '/v1/sites/default'
const COMMENTS = `${SITE}/articles/a/comments`
const POST = { body: 'x', author: { name: 'Ada' } }

const from = (address: string) => ({ 'x-forwarded-for': address })

t.test(
  'two nodes, limit 10, 1,000 parallel posts: exactly 10 are accepted',
  { skip: skipShared },
  async (t) => {
    const { url } = await createDatabase(t)
    const settings = {
      DATABASE_URL: url,
      REDIS_URL: process.env.TEST_REDIS_URL!,
      AFTERWORD_SECRET: `secret-of-${url}`.padEnd(32, '.'),
      AFTERWORD_LIMIT_WRITE: '10',
      AFTERWORD_TRUSTED_PROXIES: '127.0.0.1',
    }
    const nodes = await Promise.all([1, 2].map(() => start(t, settings).ready()))
    const post = async (n: number, address: string, path = COMMENTS) => {
      const answer = await fetch(`${nodes[n % 2]}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...from(address) },
        body: JSON.stringify({ ...POST, body: `post ${n}` }),
      })
      await answer.arrayBuffer()
      return answer.status
    }
    // A node that compiles at its first requests may take Redis for late, and count by itself.
    for (let n = 0; n < 20; n++) await post(n, `198.51.100.${n}`, COMMENTS.replace('/a/', '/warm/'))
    const statuses = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) => post(n, '203.0.113.1')),
    )
    t.equal(statuses.filter((status) => status === 201).length, 10)
    t.equal(statuses.filter((status) => status === 429).length, 990)
    const { body } = await until('for the thread', async () => {
      const answer = await fetch(`${nodes[0]}${SITE}/articles/a`)
      return { body: (await answer.json()) as { comment_count: number } }
    })
    t.equal(body.comment_count, 10)
  },
)
