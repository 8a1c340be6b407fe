import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import t from 'tap'
import { skipShared } from '../redis/own-server.ts'
import { createDatabase } from '../servers.ts'
import { start } from '../start.ts'

const ADMIN = 'an-admin-key-of-the-redaction-test'
const MARK = `quince-${randomBytes(6).toString('hex')}`

/** How long a page can stay in Redis; a node keeps it as long again. */
const LIFETIME_SECONDS = 290

/** The seconds that each value with the mark still has. */
const findMarked = async (redis: Redis): Promise<number[]> => {
  const keys = await redis.keys('*')
  const values = await Promise.all(keys.map((key) => redis.getBuffer(key)))
  const marked = keys.filter((key, i) => `${key} ${values[i]?.toString('latin1')}`.includes(MARK))
  return Promise.all(marked.map((key) => redis.ttl(key)))
}

t.test(
  'a redacted text is in no response and no log, and Redis keeps no copy longer than a page',
  { skip: skipShared },
  async (t) => {
    const { url } = await createDatabase(t)
    const service = start(t, {
      DATABASE_URL: url,
      REDIS_URL: process.env.TEST_REDIS_URL!,
      AFTERWORD_ADMIN_KEY: ADMIN,
      LOG_LEVEL: 'trace',
    })
    const base = `${await service.ready()}/v1/sites/default`
    const send = async (path: string, body?: object) => {
      const headers = {
        'accept-encoding': 'identity',
        ...(body && { 'content-type': 'application/json', authorization: `Bearer ${ADMIN}` }),
      }
      const init = body && { method: 'POST', body: JSON.stringify(body) }
      return (await fetch(`${base}${path}`, { ...init, headers })).text()
    }
    const author = { name: 'Ada' }
    const { id } = JSON.parse(await send('/articles/a/comments', { body: MARK, author }))
    await send('/articles/a/comments', { body: 'a reply that stays', author, parent_id: id })
    const paths = ['/articles/a/comments', '/comments', `/comments/${id}`]
    for (const path of paths) t.match(await send(path), MARK)
    const redis = new Redis(process.env.TEST_REDIS_URL!)
    t.teardown(() => redis.quit())
    t.not((await findMarked(redis)).length, 0, 'its pages are in Redis')
    t.match(await send(`/comments/${id}/redactions`, { reason: 'illegal' }), '"action":"redact"')
    for (const path of paths) t.notMatch(await send(path), MARK)
    const left = await findMarked(redis)
    t.same(
      left.filter((seconds) => seconds < 0 || seconds > LIFETIME_SECONDS),
      [],
    )
    t.notMatch(service.out() + service.err(), MARK)
  },
)
