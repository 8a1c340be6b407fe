import type { ThreadState } from '../../domain/comment/comment.ts'
import type { Caller } from '../../domain/people/caller.ts'
import { Refusal, type RefusalCode } from '../../domain/refusal.ts'
import { isForMembers, type Site } from '../../domain/site/site.ts'
import { assertTakesComments } from '../posting/judge-posts.ts'
import { assertMayPost } from '../posting/post-comment.ts'

/** The people who may post in a thread. The same for every reader, because readers share a page. */
export type Posting = {
  readonly mayPost: 'anyone' | 'members' | 'nobody'
  /** The error of a post by a guest; undefined if anyone may post. */
  readonly reason: RefusalCode | undefined
}

const MEMBER: Caller = { kind: 'member', authorId: 0, scope: null }

/** @param state of the thread; undefined if there is none yet */
export const whoMayPost = (site: Site, state: ThreadState = 'open'): Posting => {
  const reason = refusalOf(() => {
    assertMayPost({ site, caller: MEMBER })
    assertTakesComments({ state })
  })
  if (reason) return { mayPost: 'nobody', reason }
  return isForMembers(site)
    ? { mayPost: 'members', reason: 'login_required' }
    : { mayPost: 'anyone', reason: undefined }
}

/** The code of the refusal that an assertion throws; undefined if it throws none. */
export const refusalOf = (assert: () => void): RefusalCode | undefined => {
  try {
    assert()
    return undefined
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}
