import type { PublicIds } from '../../domain/public-id.ts'
import type {
  Export,
  ExportedComment,
  HeldAppeal,
  HeldAuthor,
  HeldFlag,
  HeldNote,
  HeldVote,
} from '../../usecases/people/export-author.ts'
import { presentWhole } from '../comments/present.ts'
import { presentDoer } from '../wire/stored-ids.ts'

const presentHeldAuthor = (ids: PublicIds, author: HeldAuthor) => ({
  id: ids.write('author', author.id),
  kind: author.kind,
  name: author.name,
  url: author.url,
  avatar_url: author.avatarUrl,
  email: author.email,
  email_verified: author.emailVerified,
  subject: author.subject,
  roles: author.roles,
  token_roles_ignored: author.tokenRolesIgnored,
  suspended_at: author.suspendedAt,
  location: author.location,
  created_at: author.createdAt,
  signed_on_at: author.signedOnAt,
  transfer_code_until: author.transferCodeUntil,
})

const presentExportedComment = (ids: PublicIds, comment: ExportedComment) => ({
  ...presentWhole(ids, comment),
  network: comment.network,
  ...(comment.isShadowed && { shadowed: true }),
  revisions: comment.revisions.map(({ revision, body, replacedAt }) => ({
    revision,
    body,
    replaced_at: replacedAt,
  })),
})

const presentHeldVote = (ids: PublicIds, vote: HeldVote) => ({
  comment_id: ids.writeComment(vote),
  value: vote.value,
  voted_at: vote.at,
})

const presentHeldFlag = (ids: PublicIds, flag: HeldFlag) => ({
  comment_id: ids.writeComment(flag),
  reason: flag.reason,
  note: flag.note,
  flagged_at: flag.at,
})

const presentHeldAppeal = (ids: PublicIds, appeal: HeldAppeal) => ({
  comment_id: ids.writeComment(appeal),
  text: appeal.text,
  appealed_at: appeal.at,
  outcome: appeal.outcome,
  note: appeal.note,
  answered_at: appeal.answeredAt,
})

const presentHeldNote = (ids: PublicIds, note: HeldNote) => ({
  id: ids.write('note', note.id),
  note: note.note,
  by: presentDoer(ids, note.by),
  noted_at: note.at,
})

/** Writes the export as one JSON text in pieces, because an author can have any number of comments. */
export async function* writeExport(ids: PublicIds, held: Export): AsyncGenerator<string> {
  yield `{"author":${JSON.stringify(presentHeldAuthor(ids, held.author))},"comments":`
  yield* writeList(ids, held.comments, presentExportedComment)
  yield ',"votes":'
  yield* writeList(ids, held.votes, presentHeldVote)
  yield ',"flags":'
  yield* writeList(ids, held.flags, presentHeldFlag)
  yield ',"appeals":'
  yield* writeList(ids, held.appeals, presentHeldAppeal)
  yield ',"notes":'
  yield* writeList(ids, held.notes, presentHeldNote)
  yield '}'
}

async function* writeList<T>(
  ids: PublicIds,
  items: AsyncIterable<T>,
  present: (ids: PublicIds, item: T) => object,
): AsyncGenerator<string> {
  let before = '['
  for await (const item of items) {
    yield before + JSON.stringify(present(ids, item))
    before = ','
  }
  yield before === '[' ? '[]' : ']'
}
