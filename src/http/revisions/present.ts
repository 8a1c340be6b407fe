import type { Revision } from '../../usecases/queue/queue.ts'

export const presentRevision = (revision: Revision) => ({
  revision: revision.revision,
  body: revision.body,
  body_html: revision.bodyHtml,
  replaced_at: revision.replacedAt,
  replaced_by: revision.replacedBy,
})
