import { resolve } from 'node:path'
import { readConfig } from '../src/config.ts'
import { findRunning } from '../src/postgres/embedded/attach.ts'
import { openEmbedded } from '../src/postgres/embedded/embedded.ts'

/**
 * Opens the database of `DATABASE_URL`, or the embedded Postgres. A Postgres that already runs belongs to the
 * service: a script neither locks nor stops it.
 */
export const openDatabase = async (
  warn: (message: string) => void,
): Promise<{ url: string; close: () => Promise<void> }> => {
  const config = readConfig(process.env)
  const dataDir = resolve(config.AFTERWORD_DATA ?? 'data')
  const url = config.DATABASE_URL ?? findRunning(dataDir)
  if (url !== undefined) return { url, close: async () => {} }
  const log = { info: () => {}, warn: (_: object, message: string) => warn(message) }
  return openEmbedded({ dataDir, mayRelocate: !config.AFTERWORD_DATA, log })
}
