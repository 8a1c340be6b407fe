import { chmodSync, lchownSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'

/** The user that runs initdb and the server. */
export type ServerUser = { readonly uid: number; readonly gid: number }

const NOBODY: ServerUser = { uid: 65534, gid: 65534 }

/**
 * Postgres refuses to run as root. If this process is root, Postgres runs as the owner of the data, or as
 * `nobody` if there is no data or root owns it. Undefined: it runs as the user of this process.
 */
export const findServerUser = (dataFolder: string): ServerUser | undefined => {
  const owner = statSync(dataFolder, { throwIfNoEntry: false })
  const self = process.getuid?.()
  if (self === 0) return owner && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : nobody()
  if (owner && self !== undefined && owner.uid !== self) {
    throw new Error(
      `${dataFolder} belongs to another user (uid ${owner.uid}): start Afterword as that user, ` +
        'or set AFTERWORD_DATA to a folder of your own',
    )
  }
  return undefined
}

/** Finds the first folder on the path to `folder` that the user cannot enter. */
export const findClosedFolder = (folder: string, user: ServerUser): string | undefined => {
  const parent = dirname(folder)
  const closed = parent === folder ? undefined : findClosedFolder(parent, user)
  return closed ?? (mayEnter(folder, user) ? undefined : folder)
}

/** Makes the missing folders of a path, readable for every user whatever the umask. */
export const makeOpenFolder = (folder: string): void => {
  const first = mkdirSync(folder, { recursive: true })
  if (first === undefined) return
  for (let made = folder; made.length >= first.length; made = dirname(made)) chmodSync(made, 0o755)
}

/** Makes the user the owner of a folder and its content, without following links. */
export const chownFolder = (folder: string, { uid, gid }: ServerUser): void => {
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    lchownSync(join(folder, entry), uid, gid)
  }
  lchownSync(folder, uid, gid)
}

const nobody = (): ServerUser => {
  const line = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'))
  return line ? { uid: Number(line[1]), gid: Number(line[2]) } : NOBODY
}

/** Checks only the mode bits. If an access list allows more, the result is a needless copy or refusal. */
const mayEnter = (folder: string, user: ServerUser): boolean => {
  const { mode, uid, gid } = statSync(folder)
  if (uid === user.uid) return (mode & 0o100) !== 0
  if (gid === user.gid) return (mode & 0o010) !== 0
  return (mode & 0o001) !== 0
}
