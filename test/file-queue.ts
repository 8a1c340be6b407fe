import { once } from 'node:events'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TAP } from 'tap'

/** Has an empty file for each test file that no process has taken, named by its turn and its path. */
const FOLDER = join(import.meta.dirname, '../.tap/queue')

export const fillQueue = (files: readonly string[]): void => {
  rmSync(FOLDER, { recursive: true, force: true })
  mkdirSync(FOLDER, { recursive: true })
  for (const [turn, file] of files.entries())
    writeFileSync(join(FOLDER, `${String(turn).padStart(4, '0')} ${encodeURIComponent(file)}`), '')
}

/** Runs test files in this process, one after another, until none is left. */
export const runQueue = async (t: TAP): Promise<void> => {
  for (let file = takeFile(); file !== undefined; file = takeFile()) {
    t.comment(file)
    await import(`../${file}`)
    if (!t.idle) await once(t, 'idle')
  }
}

const takeFile = (): string | undefined => {
  for (const name of readdirSync(FOLDER).sort())
    if (isTaken(name)) return decodeURIComponent(name.slice(name.indexOf(' ') + 1))
  return undefined
}

/** Removing a file succeeds in one process only. */
const isTaken = (name: string): boolean => {
  try {
    rmSync(join(FOLDER, name))
    return true
  } catch {
    return false
  }
}
