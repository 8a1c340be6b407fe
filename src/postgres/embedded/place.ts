import { createHash } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  realpathSync,
  rmdirSync,
  symlinkSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { SHARED_FOLDER } from './binaries.ts'
import type { ServerUser } from './user.ts'
import { findClosedFolder, findServerUser, makeOpenFolder } from './user.ts'

type Options = {
  readonly dataDir: string
  readonly mayRelocate: boolean
  readonly log: { warn: (fields: object, message: string) => void }
}

/**
 * Where the data of a folder really is, and who owns it. When root starts the service and the
 * folder is closed to the user of Postgres, the data moves to a shared place and a link tells where.
 */
export const openPlace = (options: Options): { root: string; user: ServerUser | undefined } => {
  const wanted = followLink(options.dataDir)
  const user = findServerUser(join(wanted, 'postgres'))
  if (!user) {
    mkdirSync(wanted, { recursive: true })
    return { root: realpathSync(wanted), user }
  }
  const closed = findClosedFolder(findExisting(wanted), user)
  if (closed !== undefined) return { root: relocate(closed, wanted, options), user }
  makeOpenFolder(wanted)
  return { root: realpathSync(wanted), user }
}

/** Follows a link even when its target is gone. */
const followLink = (path: string): string => {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return stats?.isSymbolicLink() ? followLink(resolve(dirname(path), readlinkSync(path))) : path
}

const findExisting = (path: string): string =>
  existsSync(path) ? realpathSync(path) : findExisting(dirname(path))

/** The name follows from the path, so a lost link leads to the same data again. */
const relocate = (closed: string, wanted: string, options: Options): string => {
  const { dataDir, mayRelocate, log } = options
  if (!mayRelocate || wanted !== dataDir || !makeRoom(dataDir)) throw unreachable(closed, dataDir)
  const name = createHash('sha256').update(dataDir).digest('hex').slice(0, 12)
  const target = join(SHARED_FOLDER, `data-${name}`)
  makeOpenFolder(target)
  mkdirSync(dirname(dataDir), { recursive: true })
  if (makeLink(target, dataDir)) {
    const message = `${dataDir} is closed to the user of Postgres: its data is in ${target}`
    log.warn({ dataDir, target }, message)
  }
  return realpathSync(target)
}

/** Removes an empty folder, for a link to take its name; a full one stays as it is. */
const makeRoom = (dataDir: string): boolean => {
  try {
    if (lstatSync(dataDir, { throwIfNoEntry: false })?.isDirectory()) rmdirSync(dataDir)
    return true
  } catch {
    return false
  }
}

const unreachable = (closed: string, dataDir: string): Error =>
  new Error(
    `Postgres does not run as root, and its user may not enter ${closed}, ` +
      `so it cannot keep data in ${dataDir}: set AFTERWORD_DATA to a folder that every user ` +
      'may enter, or start Afterword as another user',
  )

/** False when a second start made the link in between. */
const makeLink = (target: string, path: string): boolean => {
  try {
    symlinkSync(target, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}
