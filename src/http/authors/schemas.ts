import { Author } from '../comments/schemas.ts'
import {
  count,
  flag,
  openObject,
  page,
  ref,
  textOrNull,
  time,
  timeOrNull,
} from '../wire/schema-parts.ts'

export const ModeratedAuthor = openObject(
  {
    author: ref(Author),
    email: textOrNull('Never published.'),
    network: textOrNull('Of the latest comment. Null if unknown, and after the retention time.'),
    created_at: time('When the author first appeared.'),
    last_seen_at: time('When the author last posted or signed on, as far as it is stored.'),
    suspended_at: timeOrNull('Since when tokens of the member are refused.'),
    banned: flag('Whether a ban in force names the author.'),
    comment_count: count('Approved comments, at most 1,000.'),
    rejected_count: count('Comments that are spam or rejected, at most 1,000.'),
  },
  { $id: 'ModeratedAuthor' },
)

export const AuthorsPage = openObject(page(ref(ModeratedAuthor)), { $id: 'AuthorsPage' })
