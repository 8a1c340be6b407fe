import { mayAdminister } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { findKeyAuthor, insertKeyAuthor } from '../../postgres/people/key-authors.ts'
import { findMember } from '../../postgres/people/members.ts'
import type { Context } from '../context.ts'
import type { PostRequest } from './post.ts'

/**
 * Finds the existing author of a post; undefined for a new guest. A key posts as a new guest whom it
 * describes, as a member whom it names, or else as itself: one author of the staff per site.
 */
export const findWriterId = async (
  context: Context,
  { site, caller, author, authorSubject }: PostRequest,
): Promise<number | undefined> => {
  if (authorSubject !== undefined) {
    if (caller.kind !== 'key' || !mayAdminister(caller)) throw new Refusal('forbidden')
    if (author) throw new Refusal('invalid_request', { '/author': 'excludes author_subject' })
    const member = await runQuery(findMember(context.db, site.id, authorSubject))
    if (member) return member.id
    throw new Refusal('invalid_request', { '/author_subject': 'is no member of this site' })
  }
  if ('authorId' in caller) return caller.authorId
  if (caller.kind === 'nobody' || author) return undefined
  const key = { siteId: site.id, keyId: caller.keyId }
  const known = await runQuery(findKeyAuthor(context.db, key))
  if (known !== undefined) return known
  await runQuery(insertKeyAuthor(context.writes, key))
  return runQuery(findKeyAuthor(context.writes, key))
}
