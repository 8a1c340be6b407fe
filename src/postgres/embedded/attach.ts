import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { findServer } from './process.ts'

/**
 * The address of the server that a service runs on this data folder; undefined when none runs. Whoever
 * attaches to it leaves its lock and its life to the service.
 */
export const findRunning = (dataDir: string): string | undefined => {
  if (!existsSync(dataDir)) return undefined
  const root = realpathSync(dataDir)
  const server = findServer(join(root, 'postgres'))
  if (!server) return undefined
  const password = readFileSync(join(root, 'postgres.password'), 'utf8').trim()
  return embeddedUrl(password, server.port)
}

export const embeddedUrl = (password: string, port: number): string =>
  `postgres://afterword:${password}@127.0.0.1:${port}/afterword?sslmode=disable`
