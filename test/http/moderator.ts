import { sql } from 'kysely'
import type { Answer, TestService } from '../service.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'

/** A response in a few words: its status, and its error code. */
export const said = ({ status, body }: Answer): string =>
  status < 400 ? `${status}` : `${status} ${body.code}`

/** Comments by `comment_ids` and one `from`, each with its first text: what a moderator saw of it. */
export const asSeen = ({ comment_ids: ids, from, ...body }: Json): Json =>
  ids === undefined
    ? { ...body, ...(from !== undefined && { from }) }
    : { ...body, comments: ids.map((id: string) => ({ id, ...(from && { from }), revision: 1 })) }

/** Calls of a moderator with the admin key. */
export const openActing = (service: TestService) => {
  const send = (method: string, path: string, body?: Json, key?: string) =>
    service.call(method, `${SITE}${path}`, {
      token: service.adminKey,
      body,
      ...(key !== undefined && { headers: { 'idempotency-key': key } }),
    })
  const statusOf = async (): Promise<Record<string, string>> => {
    const { rows } = await sql<{ body: string; status: string }>`
      select body, status from comments order by id`.execute(service.db)
    return Object.fromEntries(rows.map(({ body, status }) => [body, status]))
  }
  return {
    send,
    statusOf,
    decideMany: (body: Json, key?: string) =>
      send('POST', '/moderation/decisions', asSeen(body), key),
    undo: (id: string) => send('POST', `/moderation/decisions/${id}/undos`),
    undoBatch: (id: string) => send('POST', `/moderation/batches/${id}/undos`),
    decisions: async (): Promise<Json[]> =>
      (await send('GET', '/moderation/decisions?limit=100')).body.items,
    thread: async (article: string): Promise<Json> =>
      (await service.get(`/articles/${article}`)).body,
  }
}

/** Posts held comments with the texts `0`, `1`, … in turn to two articles. */
export const hold = async (service: TestService, count: number): Promise<string[]> => {
  await service.call('PATCH', SITE, { token: service.adminKey, body: { moderation: 'pre' } })
  const ids: string[] = []
  for (let n = 0; n < count; n++) ids.push((await service.post(n % 2 ? 'b' : 'a', String(n))).id)
  return ids
}
