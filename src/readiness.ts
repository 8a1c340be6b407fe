import type { HealthReport } from './http/service/health.ts'
import type { OpenDb } from './postgres/connection/db.ts'
import { type FaultReason, reasonOf } from './postgres/connection/fault-reasons.ts'
import { probePostgres } from './postgres/connection/health.ts'
import { listFailedKinds } from './postgres/jobs/jobs.ts'

type Node = {
  readonly isClosing: boolean
  readonly isPrepared: boolean
  /** Why the last attempt to prepare the database failed. */
  readonly startFault: FaultReason | undefined
  readonly isDiskFull: boolean
  /** Undefined without Redis. */
  readonly isRedisReady: boolean | undefined
}

/** Builds the report of `/readyz` about this node, its Postgres and its Redis. */
export const reportHealth = async ({ db }: OpenDb, node: Node): Promise<HealthReport> => {
  if (node.isClosing) return { status: 'unavailable', checks: { service: 'is shutting down' } }
  const checks = {
    ...(node.isRedisReady !== undefined && { redis: node.isRedisReady ? 'ok' : 'away' }),
  }
  try {
    const { missingMigrations, isReadOnly, notDurable } = await probePostgres(db)
    if (missingMigrations.length > 0 || !node.isPrepared) {
      const postgres = missingMigrations.length > 0 ? 'not_migrated' : node.startFault
      return { status: 'unavailable', checks: { ...checks, postgres: postgres ?? 'not_migrated' } }
    }
    const failed = await listFailedKinds(db)
    const lost = notDurable.length > 0 ? `not durable: ${notDurable.join(', ')} off` : 'ok'
    const known = {
      ...checks,
      postgres: node.isDiskFull ? 'disk_full' : isReadOnly ? 'read_only' : lost,
      ...(failed.length > 0 && { jobs: `given up: ${failed.join(', ')}` }),
    }
    const isOk = Object.values(known).every((check) => check === 'ok')
    return { status: isOk ? 'ok' : 'degraded', checks: known }
  } catch (error) {
    return { status: 'unavailable', checks: { ...checks, postgres: reasonOf(error) } }
  }
}
