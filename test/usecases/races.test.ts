import t from 'tap'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'
import { openTwin } from '../twin.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'
type Reply = { status: number; body: Json; begun: number; ended: number }
type Send = (method: string, path: string, token?: string, body?: Json) => Promise<Reply>

/** Returns a function that sends to two nodes in turn, over sockets, and records the times. */
const openNodes = async (
  t: { teardown: (f: () => unknown) => void },
  service: TestService,
): Promise<Send> => {
  const apps = [service.app, await openTwin(t, service)]
  const origins = await Promise.all(apps.map((app) => app.listen({ port: 0, host: '127.0.0.1' })))
  let sent = 0
  return async (method, path, token, body) => {
    const begun = performance.now()
    const answer = await fetch(`${origins[sent++ % 2]}${SITE}${path}`, {
      method,
      headers: {
        ...(body && { 'content-type': 'application/json' }),
        ...(token && { authorization: `Bearer ${token}` }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    const ended = performance.now()
    return { status: answer.status, body: text ? JSON.parse(text) : {}, begun, ended }
  }
}

t.test('of many moderators who saw the same status, exactly one decides', async (t) => {
  const service = await openService(t)
  const send = await openNodes(t, service)
  for (let round = 0; round < 5; round++) {
    const { id } = await service.post('a', 'text')
    const tos = Array.from(
      { length: 16 },
      (_, n) => (['spam', 'rejected', 'deleted', 'pending'] as const)[n % 4]!,
    )
    const replies = await Promise.all(
      tos.map((to) =>
        send('POST', `/comments/${id}/decisions`, service.adminKey, { from: 'approved', to }),
      ),
    )
    const [winner, ...more] = replies.filter(({ status }) => status === 201)
    t.equal(more.length, 0, 'one winner')
    const rest = replies.filter((reply) => reply !== winner).map(({ body }) => body.code)
    t.same(new Set(rest), new Set(['decision_conflict']))
    const { body } = await service.get(`/comments/${id}`, { token: service.adminKey })
    t.equal(body.status, winner!.body.to)
  }
  t.same(await recount(service.db), [])
})

t.test('many concurrent first comments of an article are all in one thread', async (t) => {
  const service = await openService(t)
  const send = await openNodes(t, service)
  const comment = (n: number) => ({ body: `first ${n}!`, author: { name: 'Ada' } })
  const replies = await Promise.all(
    Array.from({ length: 16 }, (_, n) =>
      send('POST', '/articles/fresh/comments', undefined, comment(n)),
    ),
  )
  t.same(new Set(replies.map(({ status }) => status)), new Set([201]))
  t.equal((await service.get('/articles/fresh')).body.comment_count, 16)
  t.same(await recount(service.db), [])
})
