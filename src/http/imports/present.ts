import type { Import, ImportReport } from '../../domain/importing/import.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import { presentDoer } from '../wire/stored-ids.ts'

export const presentImport = (ids: PublicIds, found: Import) => ({
  id: ids.write('import', found.id),
  state: found.state,
  dry_run: found.dryRun,
  unapproved: found.unapproved,
  bytes: found.byteCount,
  report: found.report && presentReport(found.report),
  fault: found.fault,
  by: presentDoer(ids, found.askedBy),
  at: found.askedAt,
  ended_at: found.endedAt,
})

/** The report as the API and `npm run import -- --json` give it. */
export const presentReport = ({ readBytes, keptHere, ...report }: ImportReport) => ({
  ...report,
  read_bytes: readBytes,
  kept_here: keptHere,
})
