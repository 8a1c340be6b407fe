import { type Static, Type } from 'typebox'
import { assertScope } from '../../domain/people/caller.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { type ClaimRequest, claimComments, releaseClaims } from '../../usecases/queue/claims.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately } from '../edge/responses.ts'
import { assertSorted, readCommentFilter } from '../queue/comment-filter.ts'
import { presentForModeration } from '../queue/present.ts'
import { readCommentKey, readCommentKeys } from '../wire/comment-key.ts'
import { type Binding, readCursor, writeCursor } from '../wire/cursors.ts'
import type { CursorKeys } from '../wire/keys.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { NOTHING, object, ref } from '../wire/schema-parts.ts'
import { Claims, NewClaims } from './schemas.ts'

const SECONDS = 600

const LIMIT = 20

const claiming = { tag: 'Moderation', credential: 'needed', limit: 'write', once: true } as const

const CLAIM_COMMENTS = op.operation({
  ...claiming,
  id: 'claimComments',
  summary: 'Claim comments to review',
  description:
    'Reserves the next 20 unclaimed comments of the queue (`limit`), or listed ones, for 10 ' +
    'minutes (`seconds`), and returns them. A claim prevents double work but does not stop others ' +
    'from deciding. Each call searches a limited number of comments and returns where it stopped.',
  params: object(op.siteParams),
  query: op.NO_QUERY,
  body: ref(NewClaims),
  answers: { 200: ref(Claims) },
  refusals: ['invalid_cursor'],
})

const RELEASE_CLAIMS = op.operation({
  ...claiming,
  id: 'releaseClaims',
  summary: 'Release claims',
  description: "Releases all of the caller's claims, or the claim on one comment.",
  params: object(op.siteParams),
  query: object({
    comment_id: Type.Optional(Type.String({ description: 'Only this comment.' })),
  }),
  body: op.NO_BODY,
  answers: { 204: NOTHING },
})

export const addClaimRoutes = (app: Router, { context, keys }: Http): void => {
  app.post('/sites/:site/moderation/claims', CLAIM_COMMENTS, async (request, reply) => {
    const { site, ids, caller, body } = request
    assertScope(caller, 'moderate')
    const { seconds = SECONDS } = body
    const act = { site, moderator: caller, seconds, idempotencyKey: readIdempotencyKey(request) }
    const { wanted, binding } = readWanted({ site, ids, key: keys().cursors }, body)
    const { items, until, next } = await claimComments(context, { ...act, wanted })
    return sendPrivately(reply, {
      items: items.map((comment) => presentForModeration(ids, comment)),
      claimed_until: until,
      next_cursor: next && writeCursor(keys().cursors, binding, { sort: '', after: next }),
    })
  })

  app.delete('/sites/:site/moderation/claims', RELEASE_CLAIMS, async (request, reply) => {
    const { site, caller, query } = request
    assertScope(caller, 'moderate')
    const { comment_id: id } = query
    const comment = id === undefined ? undefined : readCommentKey(request.ids, id)
    await releaseClaims(context, {
      site,
      moderator: caller,
      comment,
      idempotencyKey: readIdempotencyKey(request),
    })
    return sendPrivately(reply.code(204), undefined)
  })
}

const readWanted = (
  { site, ids, key }: { site: Site; ids: PublicIds; key: CursorKeys },
  body: Static<typeof NewClaims>,
): { wanted: ClaimRequest['wanted']; binding: Binding } => {
  const { comment_ids: listed, filter, sort = 'oldest', limit = LIMIT, cursor } = body
  if (listed && (filter || body.sort || body.limit || cursor))
    throw new Refusal('invalid_request', { '': 'must have either comment_ids or a filter' })
  if (listed) return { wanted: readCommentKeys(ids, '/comment_ids', listed), binding: [] }
  const wanted = readCommentFilter({ site, ids }, filter ?? {}, '/filter')
  assertSorted(sort, wanted, '/sort')
  const binding = ['claims', site.id, ...Object.values(wanted), sort]
  const after = cursor === undefined ? null : readCursor(key, binding, cursor).after
  return { wanted: { filter: wanted, sort, after, limit }, binding }
}
