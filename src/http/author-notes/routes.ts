import { Type } from 'typebox'
import { assertScope } from '../../domain/people/caller.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import {
  type AuthorNote,
  addAuthorNote,
  listAuthorNotes,
} from '../../usecases/people/author-notes.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately, sendWrite } from '../edge/responses.ts'
import { readIdCursor, writeIdCursor } from '../wire/cursors.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { presentDoer } from '../wire/stored-ids.ts'
import { AuthorNotesPage, NewAuthorNote, AuthorNote as NoteOnWire } from './schemas.ts'

const ofAuthor = {
  tag: 'Moderation',
  credential: 'needed',
  params: object({
    ...op.siteParams,
    id: Type.String({ description: 'The id of the author.' }),
  }),
} as const

const LIST_AUTHOR_NOTES = op.operation({
  ...ofAuthor,
  id: 'listAuthorNotes',
  summary: 'List notes about an author',
  description:
    "Moderators may read the notes, latest first. Notes are part of the author's data export and " +
    'are erased with the author.',
  query: object({ ...op.limitParam, ...op.cursorParam }),
  body: op.NO_BODY,
  answers: { 200: ref(AuthorNotesPage) },
  refusals: ['invalid_cursor'],
  limit: 'read',
})

const ADD_AUTHOR_NOTE = op.operation({
  ...ofAuthor,
  id: 'addAuthorNote',
  summary: 'Add a note about an author',
  description:
    'Moderators may add a note for other moderators; it cannot be edited or deleted. The author ' +
    'can read it in their data export.',
  query: op.NO_QUERY,
  body: ref(NewAuthorNote),
  answers: { 201: ref(NoteOnWire) },
  limit: 'write',
  once: true,
})

export const addAuthorNoteRoutes = (app: Router, { context, keys }: Http): void => {
  app.get('/sites/:site/authors/:id/notes', LIST_AUTHOR_NOTES, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const { limit, cursor } = request.query
    const { ids } = request
    const siteId = request.site.id
    const authorId = readId(ids, request.params.id)
    const binding = ['notes', siteId, authorId]
    const beforeId = readIdCursor(keys().cursors, binding, cursor)
    const page = await listAuthorNotes(context, { siteId, authorId, beforeId, limit })
    return sendPrivately(reply, {
      items: page.items.map((note) => presentNote(ids, note)),
      next_cursor: writeIdCursor(keys().cursors, binding, page.nextId),
    })
  })

  app.post('/sites/:site/authors/:id/notes', ADD_AUTHOR_NOTE, async (request, reply) => {
    const { site, ids, caller: moderator, params, body } = request
    assertScope(moderator, 'moderate')
    const note = {
      authorId: readId(ids, params.id),
      note: body.note,
      idempotencyKey: readIdempotencyKey(request),
    }
    const answer = await addAuthorNote(context, { site, moderator, ...note }, (added) => ({
      status: 201,
      headers: {},
      body: presentNote(ids, added),
    }))
    return sendWrite(reply, answer)
  })
}

const presentNote = (ids: PublicIds, { id, authorId, note, by, at }: AuthorNote) => ({
  id: ids.write('note', id),
  author_id: ids.write('author', authorId),
  note,
  by: presentDoer(ids, by),
  at,
})

const readId = (ids: PublicIds, text: string): number => {
  const id = ids.read('author', text)
  if (id === undefined) throw new Refusal('not_found')
  return id
}
