import { readFileSync } from 'node:fs'
import t from 'tap'
import { startNode, startService } from '../own-service.ts'
import { openPatientRedis, skipOwn, startServer, until } from '../redis/own-server.ts'
import { createDatabase } from '../servers.ts'

/** The postmaster and its backends: each of those leads a session of its own. */
const processesOf = (pid: number): number[] => {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return [pid, ...children.split(' ').filter(Boolean).map(Number)]
}

const signalAll = (pids: number[], signal: NodeJS.Signals) => {
  for (const pid of pids) process.kill(pid, signal)
}

const onLinux = process.platform === 'linux' ? {} : { skip: 'reads /proc: not tested here' }

t.test(
  'when Postgres is killed under load, no acknowledged comment is lost',
  onLinux,
  async (t) => {
    const { post, readAll, postgres } = await startService(t)
    const acknowledged: string[] = []
    const statuses = new Set<number>()
    const stop = new AbortController()
    const write = async (writer: number) => {
      for (let n = 0; !stop.signal.aborted; n++) {
        const text = `${writer} ${n}`
        const { status } = await post(`article-${writer}-${n % 3}`, text)
        statuses.add(status)
        if (status === 201) acknowledged.push(text)
      }
    }
    const writers = [1, 2, 3, 4].map(write)
    await until('some comments', async () => acknowledged.length > 20 || undefined)
    process.kill(postgres().pid, 'SIGKILL')
    await until('a refusal', async () => statuses.has(503) || undefined)
    const before = acknowledged.length
    await until('comments again', async () => acknowledged.length > before + 20 || undefined)
    stop.abort()
    await Promise.all(writers)

    t.strictSame(statuses, new Set([201, 503]), 'a fault is a 503, never anything else')
    const articles = [1, 2, 3, 4].flatMap((w) => [0, 1, 2].map((n) => `article-${w}-${n}`))
    const stored = new Set((await Promise.all(articles.map(readAll))).flat())
    t.strictSame(
      acknowledged.filter((text) => !stored.has(text)),
      [],
      `${acknowledged.length} acknowledged`,
    )
  },
)

t.test(
  'while Postgres is away, the response is a 503 that says when to retry',
  onLinux,
  async (t) => {
    const { post, read, ask, postgres } = await startService(t)
    await post('a', 'here before')
    const pids = processesOf(postgres().pid)
    signalAll(pids, 'SIGSTOP')
    t.teardown(() => pids.forEach(wake))
    const answers = await Promise.all([read('a'), post('a', 'lost'), read('nothing-here')])
    t.strictSame(
      answers.map(({ status }) => status),
      [503, 503, 503],
      'no empty list, no zero',
    )
    t.equal(answers[0]?.headers.get('retry-after'), '1')
    t.equal(answers[0]?.body.code, 'unavailable')
    t.equal((await ask('/livez')).status, 200)
    t.equal((await ask('/readyz')).status, 503)

    pids.forEach(wake)
    const back = await until('the thread', async () => {
      const answer = await read('a')
      return answer.status === 200 ? answer : undefined
    })
    t.equal(back.body.items.at(-1)?.body, 'here before')
  },
)

const wake = (pid: number): void => {
  try {
    process.kill(pid, 'SIGCONT')
  } catch {
    // It ended by itself meanwhile.
  }
}

t.test('while Postgres is frozen, cached reads of unchanged threads go on', onLinux, async (t) => {
  const { post, read, postgres } = await startService(t)
  await post('a', 'here before')
  for (let n = 0; n < 3; n++) await read('a')
  const pids = processesOf(postgres().pid)
  signalAll(pids, 'SIGSTOP')
  t.teardown(() => pids.forEach(wake))
  const answers = new Set<string>()
  for (let round = 0; round < 2; round++) {
    let isOver = false
    const cold = read(`cold-${round}`).finally(() => {
      isOver = true
    })
    while (!isOver) {
      const { status, headers, body } = await read('a')
      answers.add(`${status} ${headers.get('cache-status')} ${body.items?.[0]?.body}`)
    }
    t.equal((await cold).status, 503, 'what nobody has read is refused')
  }
  t.strictSame(
    answers,
    new Set(['200 null here before', '200 Afterword; hit; detail=unconfirmed here before']),
  )
  pids.forEach(wake)
  await until('an answer that is confirmed', async () => {
    const { status, headers } = await read('a')
    return (status === 200 && headers.get('cache-status') === null) || undefined
  })
})

t.test(
  'a frozen pool leaks no connection: afterwards as many requests work as before',
  onLinux,
  async (t) => {
    const { post, read, postgres } = await startService(t, { AFTERWORD_POOL: '3' })
    await post('a', 'one')
    for (let round = 0; round < 2; round++) {
      const pids = processesOf(postgres().pid)
      signalAll(pids, 'SIGSTOP')
      const answers = await Promise.all(Array.from({ length: 12 }, () => read(`cold-${round}`)))
      pids.forEach(wake)
      t.ok(answers.every(({ status }) => status === 503))
    }
    await until('a good answer', async () => (await read('a')).status === 200 || undefined)
    const answers = await Promise.all(Array.from({ length: 12 }, () => read('a')))
    t.ok(answers.every(({ status }) => status === 200))
  },
)

t.test(
  'reads and decisions are right while Redis freezes, dies and returns',
  { skip: skipOwn },
  async (t) => {
    const redis = await startServer(t)
    const { post, read, reject, ask } = await startService(t, { REDIS_URL: redis.url })
    const hideAndLook = async (what: string) => {
      const { body: comment } = await post('a', `under ${what}`)
      const shown = await read('a')
      t.ok(
        shown.body.items.some(({ id }: { id: string }) => id === comment.id),
        `${what}: shown`,
      )
      t.equal((await reject(comment.id)).status, 201)
      const hidden = await read('a')
      t.notOk(
        hidden.body.items.some(({ id }: { id: string }) => id === comment.id),
        `${what}: hidden`,
      )
    }
    await hideAndLook('a healthy Redis')
    redis.freeze()
    await hideAndLook('a frozen Redis')
    redis.thaw()
    await redis.kill()
    await hideAndLook('a dead Redis')
    const { body } = await until('degraded', async () => {
      const answer = await ask('/readyz')
      return answer.body.checks.redis === 'away' ? answer : undefined
    })
    t.equal(body.status, 'degraded')
    await redis.start()
    await hideAndLook('a Redis that is back and empty')
  },
)

t.test(
  'reads and decisions of two nodes are right while Redis is full and refuses writes',
  { skip: skipOwn },
  async (t) => {
    const redis = await startServer(t)
    const { url } = await createDatabase(t)
    const env = { DATABASE_URL: url, REDIS_URL: redis.url, AFTERWORD_SECRET: 's'.repeat(32) }
    const [one, other] = [await startNode(t, url, env), await startNode(t, url, env)]
    const client = await openPatientRedis(t, redis.url)
    let number = 0
    const hideAndLook = async (article: string) => {
      number += 1
      const { status, body } = await one.post(article, `soon hidden, number ${number}`)
      t.equal(status, 201)
      for (const node of [one, other]) {
        const { items } = (await node.read(article)).body
        t.ok(
          items.some(({ id }) => id === body.id),
          'every node shows a new comment',
        )
      }
      t.equal((await other.reject(body.id)).status, 201)
      for (const node of [one, other]) {
        const { items } = (await node.read(article)).body
        t.notOk(
          items.some(({ id }) => id === body.id),
          'no node shows a hidden comment',
        )
      }
    }
    await hideAndLook('a')
    await client.config('SET', 'maxmemory-policy', 'noeviction')
    await client.config('SET', 'maxmemory', '1')
    await t.rejects(client.set('x', 'y'), /OOM/)
    for (const article of ['a', 'b', 'a']) await hideAndLook(article)
    await client.config('SET', 'maxmemory', '0')
    for (const article of ['a', 'b', 'c']) await hideAndLook(article)
  },
)
