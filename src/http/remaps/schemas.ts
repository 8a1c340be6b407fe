import { Type } from 'typebox'
import { MAX_ARTICLE_ID } from '../../domain/comment/article-address.ts'
import { count, flag, object, oneOf, openObject, text } from '../wire/schema-parts.ts'

const MAX_RULES = 100

export const NewRemap = object(
  {
    rules: Type.Array(
      object({
        from_prefix: Type.String({ minLength: 1, maxLength: MAX_ARTICLE_ID }),
        to_prefix: Type.String({ maxLength: MAX_ARTICLE_ID }),
      }),
      {
        maxItems: MAX_RULES,
        description: 'The first rule whose `from_prefix` an id begins with replaces that prefix.',
      },
    ),
    canonical: Type.Optional(
      flag('True: every id then gets its canonical form. False if omitted.'),
    ),
    dry_run: Type.Optional(flag('True: return what would change, and change nothing.')),
  },
  {
    $id: 'NewRemap',
    examples: [
      {
        rules: [{ from_prefix: 'https://old.example/', to_prefix: 'https://new.example/' }],
        canonical: true,
        dry_run: true,
      },
    ],
  },
)

export const RemapDryRun = openObject(
  {
    threads: count('Threads that were read.'),
    is_complete: flag('False: the site has more threads than a dry run reads.'),
    renamed: count('Threads that get an id that no other thread with comments has.'),
    merged: count('Threads whose comments go to the thread that has the id.'),
    aliases: count(
      'Threads without comments whose id becomes an alias of the thread that has the id.',
    ),
    items: Type.Array(
      openObject({
        article_id: text('The id now. It becomes an alias.'),
        to: text('The id that it gets.'),
        effect: oneOf(['renamed', 'merged', 'alias']),
      }),
      { description: 'The first 500, in the order of the remap.' },
    ),
  },
  { $id: 'RemapDryRun' },
)
