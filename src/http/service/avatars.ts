import { minidenticon } from 'minidenticons'
import { Type } from 'typebox'
import { Refusal } from '../../domain/refusal.ts'
import * as op from '../wire/operation.ts'
import { looksLikeId } from '../wire/public-ids.ts'
import type { Router } from '../wire/router.ts'
import { object, textOf } from '../wire/schema-parts.ts'

const SATURATION = 55
const LIGHTNESS = 45
/** The picture of an author id never changes. */
const ONE_YEAR = 'public, max-age=31536000, immutable'

const GET_AVATAR = op.operation({
  id: 'getAvatar',
  tag: 'Reading',
  isAlwaysOpen: true,
  summary: 'Get a generated avatar',
  description:
    'Anyone may call it; it returns an SVG image derived from the id alone. It returns an image ' +
    'for any id, so it does not reveal whether the author exists.',
  params: object({ id: Type.String({ description: 'The id of an author.' }) }),
  query: op.NO_QUERY,
  body: op.NO_BODY,
  answers: { 200: textOf('image/svg+xml', 'A picture.') },
  credential: 'taken',
  limit: 'read',
})

export const addAvatarRoutes = (app: Router): void => {
  app.get('/avatars/:id.svg', GET_AVATAR, async (request, reply) => {
    const { id } = request.params
    if (!looksLikeId('author', id)) throw new Refusal('not_found')
    reply.header('cache-control', ONE_YEAR).header('timing-allow-origin', '*').type('image/svg+xml')
    return reply.serializer(String).send(minidenticon(id, SATURATION, LIGHTNESS))
  })
}
