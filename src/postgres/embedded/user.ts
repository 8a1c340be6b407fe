import { chmodSync, lchownSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'

/** Whom initdb and the server run as. */
export type ServerUser = { readonly uid: number; readonly gid: number }

const NOBODY: ServerUser = { uid: 65534, gid: 65534 }

/**
 * Postgres refuses to run as root. So root runs it as the owner of the data, or as `nobody` while
 * there is no data or root owns it. Undefined means: as the user of this process.
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

/** The first folder from the root down to `folder` that the user may not enter, if any. */
export const findClosedFolder = (folder: string, user: ServerUser): string | undefined => {
  const parent = dirname(folder)
  const closed = parent === folder ? undefined : findClosedFolder(parent, user)
  return closed ?? (mayEnter(folder, user) ? undefined : folder)
}

/** Makes the missing folders of a path, and opens those it made to every user whatever the umask. */
export const makeOpenFolder = (folder: string): void => {
  const first = mkdirSync(folder, { recursive: true })
  if (first === undefined) return
  for (let made = folder; made.length >= first.length; made = dirname(made)) chmodSync(made, 0o755)
}

/** Gives a folder and all that is in it to the user, without following links. */
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

/** By the mode bits alone: an access list may allow more, which costs a copy or a clear refusal. */
const mayEnter = (folder: string, user: ServerUser): boolean => {
  const { mode, uid, gid } = statSync(folder)
  if (uid === user.uid) return (mode & 0o100) !== 0
  if (gid === user.gid) return (mode & 0o010) !== 0
  return (mode & 0o001) !== 0
}
