import { stat } from 'node:fs/promises'
import t from 'tap'
import { createLocalCacheTokens, NO_CACHE_TOKENS } from '../../src/cache/cache-tokens.ts'
import { createThreadCache, type ThreadQuery } from '../../src/cache/threads.ts'
import { type CacheTokens, threadToken } from '../../src/domain/cache-tokens.ts'
import type { Thread } from '../../src/domain/comment/comment.ts'
import { createByHand, settle, stopClock } from '../by-hand.ts'

const SITE = 1
const TOKEN = threadToken(SITE, 23)
const BY_ID = { siteId: SITE, id: 23 }
const BY_ARTICLE = { siteId: SITE, articleId: 'a' }

const makeThread = (version: number, more: Partial<Thread> = {}): Thread => ({
  id: 23,
  articleId: 'a',
  title: null,
  url: null,
  state: 'open',
  commentCount: 1,
  rootCount: 1,
  lastCommentAt: null,
  closesAt: null,
  slowModeSeconds: 0,
  version,
  ...more,
})

const shown = (version: number, isConfirmed = true) => ({ thread: { version }, isConfirmed })

/** Local tokens that can be distrusted. */
const openTokens = () => {
  let count = 0
  let trustedFrom = 0
  const tokens: CacheTokens = {
    ...createLocalCacheTokens(() => `token ${++count}`),
    trustedFrom: () => trustedFrom,
  }
  return { tokens, distrust: (ms: number) => (trustedFrom = performance.now() + ms) }
}

/** A cache whose questions to Postgres the test answers, or leaves to a table of threads. */
const openCache = (tokens: CacheTokens = openTokens().tokens) => {
  const postgres = createByHand<readonly ThreadQuery[], (Thread | undefined)[]>()
  const { find } = createThreadCache({ cacheTokens: tokens, load: postgres.ask })
  const answerNext = async (...threads: (Thread | undefined)[]) => {
    const { input, answer } = await postgres.next()
    answer(threads)
    return input
  }
  /** Asks, expects that Postgres is asked as well, and answers for it. */
  const findAnew = async (
    question: ThreadQuery,
    thread: Thread | undefined,
    { atLeast = 0 } = {},
  ) => {
    const runQuery = find(question, atLeast)
    await answerNext(thread)
    return runQuery
  }
  return {
    postgres,
    find: (question: ThreadQuery, atLeast = 0) => find(question, atLeast),
    findAnew,
    answerNext,
    count: () => postgres.calls.length,
  }
}

/** A cache that remembers version 1 under the token of this moment. */
const openWarm = async (tokens: CacheTokens = openTokens().tokens) => {
  await tokens.invalidate([TOKEN])
  const cache = openCache(tokens)
  await cache.findAnew(BY_ID, makeThread(1))
  return { ...cache, count: () => cache.count() - 1 }
}

t.test('a thread is cached as long as its cache token stays the same', async (t) => {
  stopClock(t)
  const { find, count } = await openWarm()
  for (let i = 0; i < 3; i++) t.match(await find(BY_ID), shown(1))
  t.equal(count(), 0)
})

t.test('readers who ask for a thread at the same time share one query', async (t) => {
  const { tokens } = openTokens()
  const { find, answerNext, count } = openCache(tokens)
  const runQuery = Promise.all(Array.from({ length: 100 }, () => find(BY_ID)))
  t.same(await answerNext(makeThread(1)), [BY_ID])
  for (const found of await runQuery) t.match(found, shown(1))
  t.equal(count(), 1)
})

t.test('a thread is loaded again once its cache token is replaced', async (t) => {
  const { tokens } = openTokens()
  const { find, findAnew, count } = await openWarm(tokens)
  await tokens.invalidate([TOKEN])
  t.match(await findAnew(BY_ID, makeThread(2)), shown(2))
  t.match(await find(BY_ID), shown(2))
  t.equal(count(), 1)
  await tokens.invalidate([threadToken(SITE, 24), threadToken(2, 23)])
  t.match(await find(BY_ID), shown(2), 'the tokens of other threads are not its own')
  t.equal(count(), 1)
})

t.test(
  'a thread loaded before its cache token was replaced is not cached as current',
  async (t) => {
    const { tokens } = openTokens()
    const { find, findAnew, postgres } = await openWarm(tokens)
    await tokens.invalidate([TOKEN])
    const early = find(BY_ID)
    const { answer } = await postgres.next()
    await tokens.invalidate([TOKEN])
    answer([makeThread(2)])
    t.match(await early, shown(2), 'who asked before the change may see what was there')
    t.match(await findAnew(BY_ID, makeThread(3)), shown(3))
    t.match(await find(BY_ID), shown(3))
  },
)

t.test('a reader who comes while a thread is being loaded does not share that query', async (t) => {
  const { tokens } = openTokens()
  const { find, findAnew, postgres, answerNext } = await openWarm(tokens)
  await tokens.invalidate([TOKEN])
  const early = find(BY_ID)
  const { answer } = await postgres.next()
  await tokens.invalidate([TOKEN])
  const late = find(BY_ID)
  await settle()
  answer([makeThread(2)])
  await answerNext(makeThread(3))
  t.match(await Promise.all([early, late]), [shown(2), shown(3)])
  t.match(await find(BY_ID), shown(3))
  await tokens.invalidate([TOKEN])
  t.match(await findAnew(BY_ID, makeThread(4)), shown(4))
})

t.test(
  'without a cache token no thread is cached, and a token is offered for the next read',
  async (t) => {
    const { tokens } = openTokens()
    const { find, findAnew, count } = openCache(tokens)
    t.match(await findAnew(BY_ID, makeThread(1)), shown(1))
    const offered = await tokens.find(TOKEN)
    t.type(offered, 'string')
    t.match(await findAnew(BY_ID, makeThread(2)), shown(2), 'nothing was remembered')
    t.match(await find(BY_ID), shown(2))
    t.equal(count(), 2)
    t.equal(await tokens.find(TOKEN), offered)
  },
)

t.test('without shared cache tokens every read loads the thread', async (t) => {
  const { findAnew } = openCache(NO_CACHE_TOKENS)
  for (const version of [1, 2, 3]) {
    t.match(await findAnew(BY_ID, makeThread(version)), shown(version))
    t.match(await findAnew(BY_ARTICLE, makeThread(version)), shown(version))
  }
})

t.test(
  'while no cache token is trusted, every read loads the thread and none is cached',
  async (t) => {
    const clock = stopClock(t)
    const { tokens, distrust } = openTokens()
    const { find, findAnew } = await openWarm(tokens)
    distrust(1_000)
    for (const version of [2, 3]) {
      t.match(await findAnew(BY_ID, makeThread(version)), shown(version))
      clock.pass(499)
    }
    clock.pass(2)
    t.match(await findAnew(BY_ID, makeThread(4)), shown(4), 'the first that is remembered')
    t.match(await find(BY_ID), shown(4))
  },
)

t.test('a thread loaded before cache tokens were trusted again is not cached', async (t) => {
  const clock = stopClock(t)
  const { tokens, distrust } = openTokens()
  const { find, findAnew, postgres } = await openWarm(tokens)
  distrust(100)
  const early = find(BY_ID)
  const { answer } = await postgres.next()
  clock.pass(200)
  answer([makeThread(2)])
  t.match(await early, shown(2))
  t.match(await findAnew(BY_ID, makeThread(3)), shown(3))
})

t.test('a cached thread older than a second is loaded again before the response', async (t) => {
  const clock = stopClock(t)
  const { find, findAnew, count } = await openWarm()
  clock.pass(499)
  t.match(await find(BY_ID), shown(1))
  t.equal(count(), 0)
  clock.pass(501)
  t.match(await findAnew(BY_ID, makeThread(2)), shown(2))
  t.match(await find(BY_ID), shown(2))
  t.equal(count(), 1)
})

t.test('the second of a cached thread begins before Postgres is queried', async (t) => {
  const clock = stopClock(t)
  const { tokens } = openTokens()
  await tokens.invalidate([TOKEN])
  const { find, findAnew, postgres } = openCache(tokens)
  const slow = find(BY_ID)
  const { answer } = await postgres.next()
  clock.pass(1_000)
  answer([makeThread(1)])
  t.match(await slow, shown(1))
  t.match(await findAnew(BY_ID, makeThread(2)), shown(2))
})

t.test(
  'a cached thread older than half a second is returned and loaded again behind the response',
  async (t) => {
    const clock = stopClock(t)
    const { find, postgres, count } = await openWarm()
    clock.pass(500)
    t.match(await find(BY_ID), shown(1))
    const { input, answer } = await postgres.next()
    t.same(input, [BY_ID])
    clock.pass(499)
    t.match(await find(BY_ID), shown(1))
    await settle()
    t.equal(count(), 1, 'once, however many read')
    answer([makeThread(2)])
    await settle()
    t.match(await find(BY_ID), shown(2))
    t.equal(count(), 1)
    clock.pass(500)
    t.match(await find(BY_ID), shown(2), 'its second has begun with that question')
  },
)

t.test('a thread loaded behind a response is not cached under a later token', async (t) => {
  const clock = stopClock(t)
  const { tokens } = openTokens()
  const { find, findAnew, postgres } = await openWarm(tokens)
  clock.pass(500)
  await find(BY_ID)
  const { answer } = await postgres.next()
  await tokens.invalidate([TOKEN])
  answer([makeThread(2)])
  await settle()
  t.match(await findAnew(BY_ID, makeThread(3)), shown(3))
})

t.test(
  'a reader who names a newer version than the cached one gets the thread from Postgres',
  async (t) => {
    stopClock(t)
    const { find, findAnew, count } = await openWarm()
    t.match(await find(BY_ID, 1), shown(1))
    t.equal(count(), 0)
    t.match(await findAnew(BY_ID, makeThread(2), { atLeast: 2 }), shown(2))
    t.match(await find(BY_ID), shown(2))
    t.match(
      await findAnew(BY_ID, makeThread(2), { atLeast: 3 }),
      shown(2),
      'for the caller to judge',
    )
  },
)

t.test('an article is loaded by its id until its thread is known', async (t) => {
  const { tokens } = openTokens()
  await tokens.invalidate([TOKEN])
  const { find, answerNext, count } = openCache(tokens)
  const questions: unknown[] = []
  for (let i = 0; i < 2; i++) {
    const runQuery = find(BY_ARTICLE)
    questions.push(...(await answerNext(makeThread(1))))
    t.match(await runQuery, shown(1))
  }
  t.same(questions, [BY_ARTICLE, BY_ID])
  t.match(await find(BY_ARTICLE), shown(1))
  t.match(await find(BY_ID), shown(1), 'it is the same thread')
  t.equal(count(), 2)
})

t.test('an article that has another thread now gets that thread', async (t) => {
  const { tokens } = openTokens()
  const { find, findAnew, postgres, answerNext } = openCache(tokens)
  await findAnew(BY_ARTICLE, makeThread(1))
  for (const gone of [undefined, makeThread(2, { articleId: 'b' })]) {
    await tokens.invalidate([TOKEN])
    const runQuery = find(BY_ARTICLE)
    t.same(await answerNext(gone), [BY_ID])
    t.same(await answerNext(makeThread(5, { id: 24 })), [BY_ARTICLE])
    t.match(await runQuery, { thread: { id: 24, version: 5 } })
    await findAnew(BY_ARTICLE, makeThread(5, { id: 24 }))
    t.same(postgres.calls.at(-1)?.input, [{ siteId: SITE, id: 24 }])
    const back = find({ siteId: SITE, articleId: 'a' }, 6)
    await answerNext(undefined)
    await answerNext(makeThread(6))
    t.match(await back, { thread: { id: 23, version: 6 } })
  }
})

t.test('an article whose thread is cached under another article is loaded by its id', async (t) => {
  stopClock(t)
  const { tokens } = openTokens()
  const { find, findAnew, answerNext } = openCache(tokens)
  await findAnew(BY_ARTICLE, makeThread(1))
  await tokens.invalidate([TOKEN])
  await findAnew(BY_ID, makeThread(2, { articleId: 'b' }))
  const runQuery = find(BY_ARTICLE)
  t.same(await answerNext(makeThread(2, { articleId: 'b' })), [BY_ID])
  t.same(await answerNext(undefined), [BY_ARTICLE])
  t.equal(await runQuery, undefined)
})

t.test('absent threads are not cached', async (t) => {
  stopClock(t)
  const { tokens } = openTokens()
  const { findAnew } = openCache(tokens)
  for (const question of [BY_ARTICLE, BY_ID]) {
    for (let i = 0; i < 2; i++) t.equal(await findAnew(question, undefined), undefined)
    t.equal(await tokens.find(TOKEN), undefined, 'and nothing is offered')
  }
  t.match(await findAnew(BY_ARTICLE, makeThread(1)), shown(1))
})

t.test(
  'a hidden thread is absent, and loaded at every read until it is visible again',
  async (t) => {
    stopClock(t)
    const { tokens } = openTokens()
    const { find, findAnew } = await openWarm(tokens)
    await tokens.invalidate([TOKEN])
    for (let i = 0; i < 2; i++) t.equal(await findAnew(BY_ID, undefined), undefined)
    t.match(await findAnew(BY_ID, makeThread(3)), shown(3))
    t.match(await find(BY_ID), shown(3))
  },
)

t.test('while Postgres fails, a cached thread is returned as unconfirmed', async (t) => {
  const clock = stopClock(t)
  const { find, postgres, count } = await openWarm()
  for (const age of [1_000, 3_600_000]) {
    clock.pass(age)
    const runQuery = find(BY_ID)
    const { fail } = await postgres.next()
    fail(new Error('away'))
    t.match(await runQuery, shown(1, false))
  }
  t.equal(count(), 2)
})

t.test('while Postgres is slow, a cached thread is returned as unconfirmed', async (t) => {
  const clock = stopClock(t)
  const { find, postgres, answerNext } = await openWarm()
  clock.pass(1_000)
  t.match(await find(BY_ID), shown(1, false), 'answered while the question is under way')
  await answerNext(makeThread(2))
  await settle()
  t.match(await find(BY_ID), shown(2, true), 'the answer counts when it comes')
  t.equal(postgres.calls.length, 2)
})

t.test('a thread that arrived in time counts although the process was busy', async (t) => {
  const clock = stopClock(t)
  const { tokens } = openTokens()
  await tokens.invalidate([TOKEN])
  let blockMs = 0
  const load = async () => {
    const reading = stat(import.meta.filename)
    for (const begun = Date.now(); Date.now() - begun < blockMs; );
    await reading
    return [makeThread(blockMs === 0 ? 1 : 2)]
  }
  const { find } = createThreadCache({ cacheTokens: tokens, load })
  await find(BY_ID, 0)
  clock.pass(1_000)
  blockMs = 400
  t.match(await find(BY_ID, 0), shown(2, true))
  t.match(await find(BY_ID, 0), shown(2, true))
})

t.test('after a failure a thread is not loaded for a second', async (t) => {
  const clock = stopClock(t)
  const { find, findAnew, postgres, count } = await openWarm()
  clock.pass(1_000)
  const runQuery = find(BY_ID)
  const { fail } = await postgres.next()
  fail(new Error('away'))
  await runQuery
  clock.pass(999)
  for (let i = 0; i < 3; i++) t.match(await find(BY_ID), shown(1, false))
  await settle()
  t.equal(count(), 1)
  clock.pass(1)
  t.match(await findAnew(BY_ID, makeThread(2)), shown(2, true))
})

t.test('while Postgres fails, a thread cached by its article is returned as well', async (t) => {
  const clock = stopClock(t)
  const { tokens } = openTokens()
  await tokens.invalidate([TOKEN])
  const { find, findAnew, postgres } = openCache(tokens)
  for (let i = 0; i < 2; i++) await findAnew(BY_ARTICLE, makeThread(1))
  clock.pass(1_000)
  const runQuery = find(BY_ARTICLE)
  const { fail } = await postgres.next()
  fail(new Error('away'))
  t.match(await runQuery, shown(1, false))
  t.match(await find(BY_ARTICLE), shown(1, false))
})

t.test('while Postgres fails, a thread whose cache token was replaced is refused', async (t) => {
  const clock = stopClock(t)
  const { tokens } = openTokens()
  const { find, postgres } = await openWarm(tokens)
  clock.pass(1_000)
  const early = find(BY_ID)
  const question = await postgres.next()
  question.fail(new Error('away'))
  t.match(await early, shown(1, false))
  await tokens.invalidate([TOKEN])
  const late = find(BY_ID)
  const again = await postgres.next()
  again.fail(new Error('away'))
  await t.rejects(late, { message: 'away' })
})

t.test(
  'while Postgres fails, a thread with an untrusted token or an older version is refused',
  async (t) => {
    const { tokens, distrust } = openTokens()
    const { find, postgres } = await openWarm(tokens)
    const refused = async (question: ThreadQuery, atLeast = 0) => {
      const runQuery = find(question, atLeast)
      const { fail } = await postgres.next()
      fail(new Error('away'))
      await t.rejects(runQuery, { message: 'away' })
    }
    await refused(BY_ID, 2)
    distrust(0)
    await refused(BY_ID)
  },
)

t.test('while Postgres fails, a thread that was never read is refused', async (t) => {
  const { find, postgres } = await openWarm()
  for (const question of [BY_ARTICLE, { siteId: SITE, id: 24 }]) {
    const runQuery = find(question)
    const { fail } = await postgres.next()
    fail(new Error('away'))
    await t.rejects(runQuery, { message: 'away' })
  }
})

t.test('a thread that was found hidden stays hidden while Postgres fails', async (t) => {
  const clock = stopClock(t)
  const { find, findAnew, postgres } = await openWarm()
  clock.pass(1_000)
  t.equal(await findAnew(BY_ID, undefined), undefined, 'hidden, and the invalidation failed')
  const runQuery = find(BY_ID)
  const { fail } = await postgres.next()
  fail(new Error('away'))
  await t.rejects(runQuery, { message: 'away' })
})
