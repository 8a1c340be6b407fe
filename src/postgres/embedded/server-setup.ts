import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findBinariesPackage, prepareBinaries } from './binaries.ts'
import { openDataFolder } from './data-folder.ts'
import { stageFolder } from './staging.ts'
import { chownFolder, type ServerUser } from './user.ts'

/** Everything needed to start the server of one data folder. The paths contain no links. */
export type ServerSetup = {
  readonly folder: string
  readonly logFile: string
  readonly passwordFile: string
  readonly password: string
  readonly binaries: string
  readonly user: ServerUser | undefined
}

/** Fixed, so that variables such as PGPORT, LANG and TZ of the caller do not change the server. */
export const SERVER_ENV = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }

/** Finds or creates the data of one folder: location, password and database cluster. */
export const openServerSetup = async (options: {
  dataDir: string
  mayRelocate: boolean
  sync: boolean
  log: { warn: (fields: object, message: string) => void }
}): Promise<ServerSetup> => {
  const packageFolder = findBinariesPackage()
  const { root, user } = openDataFolder(options)
  const binaries = await prepareBinaries({ packageFolder, user })
  const folder = join(root, 'postgres')
  const passwordFile = join(root, 'postgres.password')
  const password = openPassword(passwordFile, folder)
  const logFile = join(root, 'postgres.log')
  appendFileSync(logFile, '', { mode: 0o600 })
  if (user) for (const file of [passwordFile, logFile]) chownSync(file, user.uid, user.gid)
  const setup = { folder, logFile, passwordFile, password, binaries, user }
  await initialise(setup, options.sync)
  return setup
}

/** Two services that create a password at the same time both use the first. */
const openPassword = (file: string, folder: string): string => {
  if (existsSync(file)) return readFileSync(file, 'utf8').trim()
  if (existsSync(join(folder, 'PG_VERSION'))) {
    throw new Error(`${file} is gone and ${folder} opens with nothing else: bring it back`)
  }
  makePassword(file)
  return readFileSync(file, 'utf8').trim()
}

/** Writes the file completely and to disk, or not at all: without it the data cannot be opened. */
const makePassword = (file: string): void => {
  const draft = `${file}.${randomBytes(4).toString('hex')}`
  writeFileSync(draft, randomBytes(24).toString('hex'), { mode: 0o600, flush: true })
  try {
    linkSync(draft, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(draft)
  }
}

/** Also restores the owner and the mode that Postgres requires, which a backup can have lost. */
const initialise = async (setup: ServerSetup, sync: boolean): Promise<void> => {
  const { folder, user } = setup
  await stageFolder({
    folder,
    proof: 'PG_VERSION',
    fill: (staging) => initdb(setup, staging, sync),
  })
  if (user && statSync(folder).uid === 0) chownFolder(folder, user)
  chmodSync(folder, 0o700)
}

/**
 * One call of Linux syncs all thousand files, a second faster than a call for each. Sorting and case are
 * those of Postgres, which are equal everywhere, not of the libc.
 */
const initdb = async (setup: ServerSetup, staging: string, sync: boolean): Promise<void> => {
  mkdirSync(staging, { mode: 0o700 })
  if (setup.user) chownSync(staging, setup.user.uid, setup.user.gid)
  const args = ['-D', staging, '-U', 'afterword', `--pwfile=${setup.passwordFile}`]
  args.push('--auth=scram-sha-256', '--encoding=UTF8', '--no-locale', '--no-instructions')
  args.push('--locale-provider=builtin', '--builtin-locale=C.UTF-8')
  if (!sync) args.push('--no-sync')
  else if (process.platform === 'linux') args.push('--sync-method=syncfs')
  const options = { ...setup.user, cwd: staging, env: SERVER_ENV }
  await promisify(execFile)(join(setup.binaries, 'bin', 'initdb'), args, options)
}
