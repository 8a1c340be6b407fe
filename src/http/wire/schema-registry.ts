import type { TSchema } from 'typebox'
import { PolicySchema } from '../../domain/screening/policy.ts'
import * as aliases from '../aliases/schemas.ts'
import * as appeals from '../appeals/schemas.ts'
import * as auditLog from '../audit-log/schemas.ts'
import * as authorNotes from '../author-notes/schemas.ts'
import * as authors from '../authors/schemas.ts'
import * as bans from '../bans/schemas.ts'
import * as batches from '../batches/schemas.ts'
import * as cannedReasons from '../canned-reasons/schemas.ts'
import * as checks from '../checks/schemas.ts'
import * as claims from '../claims/schemas.ts'
import * as comments from '../comments/schemas.ts'
import * as commentsHtml from '../comments-html/schemas.ts'
import * as decisions from '../decisions/schemas.ts'
import * as siteExports from '../exports/schemas.ts'
import * as imports from '../imports/schemas.ts'
import * as judging from '../judging/schemas.ts'
import * as keys from '../keys/schemas.ts'
import * as marks from '../marks/schemas.ts'
import * as members from '../members/schemas.ts'
import * as moderationStats from '../moderation-stats/schemas.ts'
import * as moving from '../moving/schemas.ts'
import * as ownData from '../own-data/schemas.ts'
import * as policies from '../policies/schemas.ts'
import * as queue from '../queue/schemas.ts'
import * as reassignments from '../reassignments/schemas.ts'
import * as redactions from '../redactions/schemas.ts'
import * as remaps from '../remaps/schemas.ts'
import * as replies from '../replies/schemas.ts'
import * as revisions from '../revisions/schemas.ts'
import * as siteLists from '../site-lists/schemas.ts'
import * as sites from '../sites/schemas.ts'
import * as staff from '../staff/schemas.ts'
import * as threads from '../threads/schemas.ts'
import * as transfers from '../transfers/schemas.ts'
import * as viewer from '../viewer/schemas.ts'
import * as votesAndFlags from '../votes-and-flags/schemas.ts'
import * as problems from './problem-schemas.ts'

const MODULES: readonly object[] = [
  comments,
  threads,
  remaps,
  replies,
  siteLists,
  votesAndFlags,
  viewer,
  commentsHtml,
  transfers,
  queue,
  claims,
  decisions,
  batches,
  marks,
  revisions,
  redactions,
  moderationStats,
  appeals,
  policies,
  judging,
  checks,
  bans,
  authorNotes,
  authors,
  aliases,
  cannedReasons,
  moving,
  ownData,
  siteExports,
  reassignments,
  sites,
  members,
  staff,
  keys,
  auditLog,
  imports,
  problems,
]

const isNamed = (schema: unknown): schema is TSchema =>
  typeof schema === 'object' && schema !== null && '$id' in schema

/** Every schema with a name: what `ref` can refer to. */
export const NAMED: readonly TSchema[] = [
  PolicySchema,
  ...MODULES.flatMap((module) => Object.values(module)).filter(isNamed),
]
