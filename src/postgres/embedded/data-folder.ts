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
 * Finds the real location of a data folder, and its owner. If root starts the service and the user of
 * Postgres cannot enter the folder, the data is kept in a shared folder, and a link replaces the folder.
 */
export const openDataFolder = (
  options: Options,
): { root: string; user: ServerUser | undefined } => {
  const folder = followLink(options.dataDir)
  const user = findServerUser(join(folder, 'postgres'))
  if (!user) {
    mkdirSync(folder, { recursive: true })
    return { root: realpathSync(folder), user }
  }
  const closed = findClosedFolder(findExisting(folder), user)
  if (closed !== undefined) return { root: relocate(closed, folder, options), user }
  makeOpenFolder(folder)
  return { root: realpathSync(folder), user }
}

/** Follows a link, also to a missing target. */
const followLink = (path: string): string => {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return stats?.isSymbolicLink() ? followLink(resolve(dirname(path), readlinkSync(path))) : path
}

const findExisting = (path: string): string =>
  existsSync(path) ? realpathSync(path) : findExisting(dirname(path))

/** The name is a hash of the path, so that a new link leads to the same data. */
const relocate = (closed: string, folder: string, options: Options): string => {
  const { dataDir, mayRelocate, log } = options
  if (!mayRelocate || folder !== dataDir || !removeEmptyFolder(dataDir))
    throw unreachable(closed, dataDir)
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

/** Removes an empty folder, so that a link can replace it. False if the folder has content. */
const removeEmptyFolder = (dataDir: string): boolean => {
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

/** False if another start has made the link. */
const makeLink = (target: string, path: string): boolean => {
  try {
    symlinkSync(target, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}
