import type { Position } from '../../domain/comment/sort.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { listMembers, type Member } from '../../postgres/people/members.ts'
import {
  type AuthorSearch,
  findAuthorPage,
  findMemberPage,
  listModeratedAuthors,
  type ModeratedAuthor,
  type PersonSearch,
} from '../../postgres/people/search.ts'
import type { Context } from '../context.ts'

export type { ModeratedAuthor } from '../../postgres/people/search.ts'

type Page<Item> = { readonly items: readonly Item[]; readonly next: Position | null }

/** The members of a site, latest first. A page can be short before the end: see `next`. */
export const searchMembers = async (
  context: Context,
  search: PersonSearch,
): Promise<Page<Member>> => {
  const { ids, next } = await runQuery(findMemberPage(context.db, search))
  const members = await runQuery(listMembers(context.db, search.siteId, ids))
  return { items: inOrder(ids, members), next }
}

/** The authors of a site, latest first. A page can be short before the end: see `next`. */
export const searchAuthors = async (
  context: Context,
  search: AuthorSearch,
): Promise<Page<ModeratedAuthor>> => {
  const { ids, next } = await runQuery(findAuthorPage(context.db, search))
  const authors = await runQuery(listModeratedAuthors(context.db, search.siteId, ids))
  return { items: inOrder(ids, authors), next }
}

const inOrder = <Item extends { readonly id: number }>(
  ids: readonly number[],
  items: readonly Item[],
): Item[] => {
  const byId = new Map(items.map((item) => [item.id, item]))
  return ids.flatMap((id) => byId.get(id) ?? [])
}
