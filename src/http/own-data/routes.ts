import { Readable } from 'node:stream'
import { Type } from 'typebox'
import type { PublicIds } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import { eraseAuthor } from '../../usecases/people/erase-author.ts'
import { exportAuthor } from '../../usecases/people/export-author.ts'
import { hashSubject } from '../edge/addresses.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately } from '../edge/responses.ts'
import { hashesOfEmail } from '../edge/writer-identity.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { NOTHING, object, ref } from '../wire/schema-parts.ts'
import { writeExport } from './present.ts'
import { ErasureStatus, Export } from './schemas.ts'

const ofAuthor = {
  tag: 'Posting',
  params: object({
    ...op.siteParams,
    id: Type.String({ description: 'The id of the author.' }),
  }),
  query: op.NO_QUERY,
  body: op.NO_BODY,
  credential: 'needed',
} as const

const EXPORT_AUTHOR = op.operation({
  ...ofAuthor,
  id: 'exportAuthor',
  summary: "Export an author's data",
  description:
    "Returns the profile, comments with all revisions, votes, flags, appeals and moderators' " +
    'notes, to the author or an administrator. The audit log records each export.',
  answers: { 200: ref(Export) },
  limit: 'export',
})

const ERASE_AUTHOR = op.operation({
  ...ofAuthor,
  id: 'eraseAuthor',
  summary: "Erase an author's data",
  description:
    'Permanently removes the name, addresses and texts, and deletes the comments; the author or ' +
    'an administrator may call it. Returns 204 when done, or 202 when it takes longer than a ' +
    'second and continues in the background.',
  answers: { 202: ref(ErasureStatus), 204: NOTHING },
  limit: 'write',
})

export const addOwnDataRoutes = (app: Router, { context, keys }: Http): void => {
  app.get('/sites/:site/authors/:id/export', EXPORT_AUTHOR, async (request, reply) => {
    const { site, ids, caller, params } = request
    const authorId = readKey(ids, params.id)
    const held = await exportAuthor(context, { site, caller, authorId })
    reply.type('application/json; charset=utf-8')
    return sendPrivately(reply, Readable.from(writeExport(ids, held)))
  })

  app.delete('/sites/:site/authors/:id', ERASE_AUTHOR, async (request, reply) => {
    const { site, ids, caller, params } = request
    const authorId = readKey(ids, params.id)
    const { addresses } = keys()
    const hash = {
      subject: (subject: string) => hashSubject(addresses, site.id, subject),
      emails: (email: string) => hashesOfEmail(addresses, email),
    }
    const isDone = await eraseAuthor(context, { site, caller, authorId }, hash)
    return isDone
      ? sendPrivately(reply.code(204), undefined)
      : sendPrivately(reply.code(202), { status: 'running' })
  })
}

const readKey = (ids: PublicIds, id: string): number => {
  const authorId = ids.read('author', id)
  if (authorId === undefined) throw new Refusal('not_found')
  return authorId
}
