import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, readdirSync, rmSync, statSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { isAlive } from './process.ts'

/** Longer than any initdb or copy takes: an older temporary folder is abandoned. */
const ABANDONED_MS = 600_000

/**
 * Fills a temporary folder and renames it to `folder`, so that a kill leaves no incomplete folder. `proof`
 * is a file that only the complete folder has. If two processes do this together, both use the folder that
 * was renamed first.
 */
export const stageFolder = async (options: {
  folder: string
  proof: string
  fill: (staging: string) => Promise<void>
}): Promise<void> => {
  const { folder, proof, fill } = options
  removeAbandoned(folder)
  if (existsSync(join(folder, proof))) return
  const staging = `${folder}.new-${process.pid}-${randomBytes(4).toString('hex')}`
  try {
    await fill(staging)
    await rename(staging, folder)
    syncFolder(dirname(folder))
  } catch (error) {
    if (!existsSync(join(folder, proof))) throw error
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

const removeAbandoned = (folder: string): void => {
  const prefix = `${basename(folder)}.new-`
  for (const name of readdirSync(dirname(folder))) {
    const path = join(dirname(folder), name)
    if (
      name.startsWith(prefix) &&
      isAbandoned(path, Number.parseInt(name.slice(prefix.length), 10))
    )
      rmSync(path, { recursive: true, force: true, maxRetries: 5 })
  }
}

const isAbandoned = (path: string, pid: number): boolean => {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats !== undefined && (!isAlive(pid) || Date.now() - stats.mtimeMs > ABANDONED_MS)
}

/** Makes a rename survive a power cut. Skipped on Windows, which cannot open folders. */
const syncFolder = (folder: string): void => {
  if (process.platform === 'win32') return
  const handle = openSync(folder, 'r')
  fsyncSync(handle)
  closeSync(handle)
}
