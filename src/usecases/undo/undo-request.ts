import type { StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Decided } from '../decisions/decision-request.ts'

export type UndoRequest = {
  readonly site: Site
  readonly moderator: StaffCaller
  readonly decisionId: number
  readonly idempotencyKey: IdempotencyKey | undefined
}

/** How much an undo restored. */
export type Restored = {
  /** Comments that have their former status, mark or place. */
  readonly comments: number
  /** Settings of a thread or of a ban that have their former values. */
  readonly settings: number
}

export type Undone = Decided & { readonly restored: Restored }

/** An undo that would restore nothing is refused, so that it can be tried again. */
export const assertRestores = ({ comments, settings }: Restored): void => {
  if (comments + settings === 0) throw new Refusal('decision_conflict')
}
