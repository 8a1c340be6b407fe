import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { runOnServer } from '../../test/servers.ts'
import { type Bench, type Database, startService, using } from '../bench.ts'
import { readSessions, type Statement } from './statements.ts'

/** The log is written by a process of its own. */
const LOG_DELAY_MS = 500

/**
 * What the service says to Postgres while it answers. A node of its own is started, because the
 * setting counts for new sessions, and `act` first runs once unseen: what it asks for must not be the
 * same both times, or the second answer is a remembered one.
 * @returns the statements, session by session
 */
export const recordStatements = async (
  bench: Bench,
  database: Database,
  act: (url: string, isSeen: boolean) => Promise<unknown>,
): Promise<Statement[][]> => {
  const set = (how: string) =>
    runOnServer(bench.postgres.url, `alter database ${database.name} ${how}`)
  const read = () => readFileSync(bench.postgres.logFile, 'utf8')
  await set("set log_statement = 'all'")
  try {
    return await using([() => startService(bench, database)], async ({ url } = {} as never) => {
      await act(url, false)
      await sleep(LOG_DELAY_MS)
      const before = read().length
      await act(url, true)
      await sleep(LOG_DELAY_MS)
      return readSessions(read().slice(before), database.name)
    })
  } finally {
    await set('reset log_statement')
  }
}
