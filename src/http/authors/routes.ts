import { type Static, Type } from 'typebox'
import { assertScope } from '../../domain/people/caller.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import { type ModeratedAuthor, searchAuthors } from '../../usecases/people/search-people.ts'
import { presentAuthor } from '../comments/present.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately } from '../edge/responses.ts'
import { readNetwork } from '../edge/writer-identity.ts'
import { personFilter } from '../members/schemas.ts'
import { readCursor, writeCursor } from '../wire/cursors.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { flag, object, oneOf, ref } from '../wire/schema-parts.ts'
import { AuthorsPage } from './schemas.ts'

const AuthorFilter = object({
  ...personFilter,
  author_id: Type.Optional(Type.String({ maxLength: 40, description: 'Only this author.' })),
  kind: Type.Optional(oneOf(['guest', 'member'], { description: 'Only authors of this kind.' })),
  email: Type.Optional(
    Type.String({ minLength: 1, maxLength: 254, description: 'Only this e-mail address.' }),
  ),
  network: Type.Optional(
    Type.String({
      maxLength: 50,
      description:
        'Only authors who posted from this address or network, as in a ban. The service keeps an ' +
        'IPv4 /24 or an IPv6 /48, for the retention time.',
    }),
  ),
  banned: Type.Optional(flag('Only authors whom a ban in force names, or only others.')),
})

const SEARCH_AUTHORS = op.operation({
  id: 'searchAuthors',
  tag: 'Moderation',
  summary: 'Search the authors of a site',
  description:
    'Moderators find guests and members by name, e-mail, network or role, latest first. Each page ' +
    'searches a limited number of authors, so it can be empty and still have a `next_cursor`.',
  params: object(op.siteParams),
  query: object({ ...AuthorFilter.properties, ...op.limitParam, ...op.cursorParam }),
  body: op.NO_BODY,
  answers: { 200: ref(AuthorsPage) },
  refusals: ['invalid_cursor'],
  credential: 'needed',
  limit: 'read',
})

export const addAuthorRoutes = (app: Router, { context, keys }: Http): void => {
  app.get('/sites/:site/moderation/authors', SEARCH_AUTHORS, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const { limit, cursor, ...wanted } = request.query
    const { ids } = request
    const siteId = request.site.id
    const filter = readFilter(ids, wanted)
    const binding = ['authors', siteId, ...Object.values(filter)]
    const after = cursor === undefined ? null : readCursor(keys().cursors, binding, cursor).after
    const { items, next } = await searchAuthors(context, { siteId, ...filter, after, limit })
    return sendPrivately(reply, {
      items: items.map((author) => presentModerated(ids, author)),
      next_cursor: next && writeCursor(keys().cursors, binding, { sort: '', after: next }),
    })
  })

  const readFilter = (ids: PublicIds, wanted: Static<typeof AuthorFilter>) => {
    const { author_id: author, suspended: isSuspended, banned: isBanned } = wanted
    const { name, q, role, kind, email } = wanted
    const network =
      wanted.network === undefined ? undefined : readNetwork(keys().addresses, wanted.network)
    if (wanted.network !== undefined && !network)
      throw new Refusal('invalid_request', { network: 'must be an address or a network' })
    // A malformed id matches no author.
    const authorId = author === undefined ? undefined : (ids.read('author', author) ?? 0)
    const person = { name, q, role, isSuspended, kind, email, isBanned }
    return { ...person, authorId, network: network?.network }
  }
}

const presentModerated = (ids: PublicIds, author: ModeratedAuthor) => ({
  author: presentAuthor(ids, author),
  email: author.email,
  network: author.network,
  created_at: author.createdAt,
  last_seen_at: author.lastSeenAt,
  suspended_at: author.suspendedAt,
  banned: author.isBanned,
  comment_count: author.commentCount,
  rejected_count: author.rejectedCount,
})
