import { resolve } from 'node:path'
import { readConfig } from '../src/config.ts'
import { findRunning } from '../src/postgres/embedded/attach.ts'
import { openEmbedded } from '../src/postgres/embedded/embedded.ts'

/**
 * Opens the database of `DATABASE_URL`, or the embedded Postgres. The direct address leads past a pooler. A Postgres
 * that already runs belongs to the service: a script neither locks nor stops it.
 */
export const openDatabase = async (
  warn: (message: string) => void,
): Promise<{ url: string; directUrl: string; close: () => Promise<void> }> => {
  const config = readConfig(process.env)
  const dataDir = resolve(config.AFTERWORD_DATA ?? 'data')
  const url = config.DATABASE_URL ?? findRunning(dataDir)
  if (url !== undefined) {
    const { AFTERWORD_MIGRATION_DATABASE_URL: directUrl = url } = config
    return { url, directUrl, close: async () => {} }
  }
  const log = { info: () => {}, warn: (_: object, message: string) => warn(message) }
  const embedded = await openEmbedded({ dataDir, mayRelocate: !config.AFTERWORD_DATA, log })
  return { ...embedded, directUrl: embedded.url }
}
