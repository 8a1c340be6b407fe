import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { findServer } from './process.ts'

/**
 * Finds the URL of the server that a service runs on this data folder; undefined if none runs. A program
 * that connects to it must not take its lock or stop it.
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
