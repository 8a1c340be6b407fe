import type { PublicIds } from '../../domain/public-id.ts'
import type { Revision } from '../../usecases/queue/queue.ts'
import { presentDoer } from '../wire/stored-ids.ts'

export const presentRevision = (ids: PublicIds, revision: Revision) => ({
  author_id: ids.write('author', revision.authorId),
  revision: revision.revision,
  body: revision.body,
  body_html: revision.bodyHtml,
  replaced_at: revision.replacedAt,
  replaced_by: revision.replacedBy && presentDoer(ids, revision.replacedBy),
})
