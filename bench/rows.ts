import type { Row } from './row.ts'
import { LARGE_BATCH } from './rows/batches.ts'
import { BYTES } from './rows/bytes.ts'
import { ALONE, CACHED, COMPRESSED, FROM_ORIGIN, RECENT_CACHED } from './rows/cached.ts'
import { CONDITIONAL } from './rows/conditional.ts'
import { DECISIONS } from './rows/decisions.ts'
import { LOGGED } from './rows/logged.ts'
import { MEMORY } from './rows/memory.ts'
import { MODERATION_LOG } from './rows/moderation-log.ts'
import { LONE_WRITER, ONE_THREAD, POSTS } from './rows/posts.ts'
import { QUEUE_PAGES } from './rows/queue.ts'
import { SCREENING } from './rows/screening.ts'
import { LARGE_ROOTS, LARGE_TREE, SITE_SIZE } from './rows/sizes.ts'
import { STALLS } from './rows/stalls.ts'
import { START } from './rows/start.ts'
import { COLD, RECENT_UNCACHED } from './rows/uncached.ts'
import {
  DECISIONS_BESIDE_UPDATES,
  EDITS_BESIDE_UPDATES,
  VOTES_BESIDE_UPDATES,
} from './rows/writes.ts'

/** All rows in the order of the table. */
export const ROWS: readonly Row[] = [
  CACHED,
  COMPRESSED,
  FROM_ORIGIN,
  LOGGED,
  CONDITIONAL,
  COLD,
  RECENT_UNCACHED,
  RECENT_CACHED,
  ALONE,
  POSTS,
  LONE_WRITER,
  ONE_THREAD,
  VOTES_BESIDE_UPDATES,
  DECISIONS_BESIDE_UPDATES,
  EDITS_BESIDE_UPDATES,
  BYTES,
  LARGE_ROOTS,
  LARGE_TREE,
  SITE_SIZE,
  QUEUE_PAGES,
  MEMORY,
  START,
  DECISIONS,
  LARGE_BATCH,
  SCREENING,
  STALLS,
  MODERATION_LOG,
]
