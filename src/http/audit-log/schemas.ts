import { Type } from 'typebox'
import { AUDIT_ACTIONS } from '../../domain/site/audit.ts'
import { oneOf, openObject, page, ref, text, textOrNull, time } from '../wire/schema-parts.ts'

const changed = (description: string) =>
  Type.Unsafe<object | null>({ type: ['object', 'null'], additionalProperties: true, description })

export const AuditEntry = openObject(
  {
    id: text('Id of the entry.'),
    site: textOrNull('Slug of the site. Null: the whole service.'),
    action: oneOf(AUDIT_ACTIONS),
    subject: text(
      'The changed object: a slug, or the id of a key, author, comment, ban or canned reason. `unknown` if a newer ' +
        'version made the entry.',
    ),
    by: text('Id of the API key or member; `operator` for the command line.'),
    at: time('When it was changed.'),
    before: changed('The changed fields before.'),
    after: changed('The changed fields after.'),
  },
  { $id: 'AuditEntry' },
)

export const AuditPage = openObject(page(ref(AuditEntry)), { $id: 'AuditPage' })
