import type { Facts, WrittenDraft } from '../domain/screening/facts.ts'
import type { Verdict } from '../domain/screening/finding.ts'
import type { Policy } from '../domain/screening/policy.ts'
import { preparePolicy } from '../domain/screening/prepare-policy.ts'
import type { PreparedPolicy } from '../domain/screening/prepared-policy.ts'
import { createWorkerPool } from './pool.ts'

/** A policy as JSON up to this length compiles in a few milliseconds, faster than a thread starts. */
const SHORT = 4_096

export type JudgedDraft = WrittenDraft & { readonly facts: Facts }

export type PolicyTask =
  | { readonly prepare: string }
  | { readonly policy: PreparedPolicy; readonly drafts: readonly JudgedDraft[] }

/** Work with policies whose cost a caller chooses. Results are those of the same function in this thread. */
export type PolicyTasks = {
  /** Compiles a policy, given as JSON, in a worker thread unless it is short. */
  readonly prepare: (json: string) => Promise<PreparedPolicy>
  /** Compiles a draft. It waits for other drafts, and never delays `prepare`. */
  readonly prepareDraft: (json: string) => Promise<PreparedPolicy>
  /** Judges comments by a draft. */
  readonly judge: (
    policy: PreparedPolicy,
    drafts: readonly JudgedDraft[],
  ) => Promise<readonly Verdict[]>
  readonly close: () => Promise<void>
}

const SCRIPT = new URL('./policy-worker.ts', import.meta.url)

/** Starts no thread before the first task. Policies in force and drafts have a thread each. */
export const createPolicyTasks = (): PolicyTasks => {
  const inForce = createWorkerPool(SCRIPT)
  const drafts = createWorkerPool(SCRIPT)
  const prepareIn =
    (pool: typeof drafts) =>
    async (json: string): Promise<PreparedPolicy> =>
      json.length <= SHORT
        ? preparePolicy(JSON.parse(json) as Policy)
        : pool.run({ prepare: json } satisfies PolicyTask)
  return {
    prepare: prepareIn(inForce),
    prepareDraft: prepareIn(drafts),
    judge: (policy, all) => drafts.run({ policy, drafts: all.map(toCopied) } satisfies PolicyTask),
    close: async () => {
      await Promise.all([inForce.close(), drafts.close()])
    },
  }
}

/** Leaves out the other columns of a comment: everything sent to a thread is copied. */
const toCopied = (draft: JudgedDraft): JudgedDraft => {
  const { body, bodyHtml, authorName, authorUrl, suggestedTitle, facts } = draft
  return { body, bodyHtml, authorName, authorUrl, suggestedTitle, facts }
}
