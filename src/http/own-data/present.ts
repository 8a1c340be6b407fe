import { authorId, commentId, noteId } from '../../domain/public-id.ts'
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

const presentHeldAuthor = (author: HeldAuthor) => ({
  id: authorId(author.id),
  kind: author.kind,
  name: author.name,
  url: author.url,
  avatar_url: author.avatarUrl,
  email: author.email,
  email_verified: author.emailVerified,
  subject: author.subject,
  roles: author.roles,
  location: author.location,
  created_at: author.createdAt,
  signed_on_at: author.signedOnAt,
})

const presentExportedComment = (comment: ExportedComment) => ({
  ...presentWhole(comment),
  network: comment.network,
  ...(comment.isShadowed && { shadowed: true }),
  revisions: comment.revisions.map(({ revision, body, replacedAt }) => ({
    revision,
    body,
    replaced_at: replacedAt,
  })),
})

const presentHeldVote = (vote: HeldVote) => ({
  comment_id: commentId(vote),
  value: vote.value,
  voted_at: vote.at,
})

const presentHeldFlag = (flag: HeldFlag) => ({
  comment_id: commentId(flag),
  reason: flag.reason,
  note: flag.note,
  flagged_at: flag.at,
})

const presentHeldAppeal = (appeal: HeldAppeal) => ({
  comment_id: commentId(appeal),
  text: appeal.text,
  appealed_at: appeal.at,
  outcome: appeal.outcome,
  note: appeal.note,
  answered_at: appeal.answeredAt,
})

const presentHeldNote = (note: HeldNote) => ({
  id: noteId(note.id),
  note: note.note,
  by: note.by,
  noted_at: note.at,
})

/** Writes the export as one JSON text in pieces, because an author can have any number of comments. */
export async function* writeExport(held: Export): AsyncGenerator<string> {
  yield `{"author":${JSON.stringify(presentHeldAuthor(held.author))},"comments":`
  yield* writeList(held.comments, presentExportedComment)
  yield ',"votes":'
  yield* writeList(held.votes, presentHeldVote)
  yield ',"flags":'
  yield* writeList(held.flags, presentHeldFlag)
  yield ',"appeals":'
  yield* writeList(held.appeals, presentHeldAppeal)
  yield ',"notes":'
  yield* writeList(held.notes, presentHeldNote)
  yield '}'
}

async function* writeList<T>(
  items: AsyncIterable<T>,
  present: (item: T) => object,
): AsyncGenerator<string> {
  let before = '['
  for await (const item of items) {
    yield before + JSON.stringify(present(item))
    before = ','
  }
  yield before === '[' ? '[]' : ']'
}
