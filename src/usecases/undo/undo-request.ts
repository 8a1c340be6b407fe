import type { StaffCaller } from '../../domain/people/caller.ts'
import type { Site } from '../../domain/site/site.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'

export type UndoRequest = {
  readonly site: Site
  readonly moderator: StaffCaller
  readonly decisionId: number
  readonly idempotencyKey: IdempotencyKey | undefined
}
