import { Type } from 'typebox'
import { IMPORT_STATES, UNAPPROVED } from '../../domain/importing/import.ts'
import { IMPORT_FORMATS } from '../../domain/importing/records.ts'
import {
  by,
  count,
  flag,
  integerOrNull,
  oneOf,
  openObject,
  page,
  ref,
  refOrNull,
  text,
  time,
  timeOrNull,
} from '../wire/schema-parts.ts'

const listed = (description: string, item: ReturnType<typeof openObject>) =>
  openObject(
    { total: count('How many there are.'), items: Type.Array(item) },
    { description: `${description} The first 1,000 are listed.` },
  )

const id = text("The comment's id in the other system.")

export const ImportReport = openObject(
  {
    format: oneOf(IMPORT_FORMATS, { description: 'The format of the file.' }),
    origin: text('The system that the ids of the file belong to.'),
    read_bytes: count('Bytes of the file that were read.'),
    comments: openObject({
      total: count('Comments of the file, skipped ones included.'),
      created: count('New comments.'),
      updated: count('Comments that the other system changed since the last import.'),
      unchanged: count('Comments of an earlier import that are the same.'),
      skipped: Type.Record(Type.String(), Type.Integer(), {
        description: 'Comments that were not stored, by reason.',
      }),
    }),
    threads: openObject({
      created: count('Articles that had no thread.'),
      matched: count('Articles that had one.'),
    }),
    authors: openObject({
      created: count('Guests that were created.'),
      matched: count('Authors of an earlier import.'),
    }),
    orphans: listed(
      'Comments that became root comments, because their parent is missing or below themselves.',
      openObject({ id, reason: oneOf(['missing', 'cycle']) }),
    ),
    cut: count('Comments that moved up to the depth limit of the site.'),
    duplicates: listed(
      'Ids that the file has more than once: the first counts.',
      openObject({ id }),
    ),
    repairs: listed(
      'Faults of the file that were mended.',
      openObject({
        what: text('The fault that the import mended.'),
        line: count('Line of the file, from 1.'),
        column: count('Column of the line.'),
      }),
    ),
    kept_here: listed(
      'Changes of the other system that were not taken, because somebody decided or edited here since.',
      openObject({ id, what: oneOf(['status', 'text']) }),
    ),
  },
  { $id: 'ImportReport' },
)

export const ImportFault = openObject(
  {
    detail: text('Why the file was refused.'),
    line: integerOrNull('Line of the file, from 1.'),
    column: integerOrNull('Column of the line.'),
  },
  { $id: 'ImportFault' },
)

export const Import = openObject(
  {
    id: text('Id of the import.'),
    state: oneOf(IMPORT_STATES, {
      description: '`done`, `failed` and `cancelled` are final.',
    }),
    dry_run: flag('Whether the import only reports what it would do.'),
    unapproved: oneOf(UNAPPROVED),
    bytes: count('Size of the file.'),
    report: refOrNull(
      ImportReport,
      'The counts of the import so far. Null until the file is read.',
    ),
    fault: refOrNull(ImportFault, 'Why the import failed.'),
    by,
    at: time('When the import was requested.'),
    ended_at: timeOrNull('When the import ended. Null while it runs.'),
  },
  { $id: 'Import' },
)

export const ImportsPage = openObject(page(ref(Import)), { $id: 'ImportsPage' })
