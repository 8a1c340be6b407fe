import { Type } from 'typebox'
import { LINE_KINDS } from '../../domain/exporting/lines.ts'
import { oneOf } from '../wire/schema-parts.ts'

export const ExportLine = Type.Object(
  {
    kind: Type.Optional(
      oneOf(LINE_KINDS, {
        description: 'The kind of the line. The first line, the header, has none.',
      }),
    ),
  },
  {
    $id: 'ExportLine',
    additionalProperties: true,
    description: 'A line of a site export; its other fields depend on its kind.',
  },
)
