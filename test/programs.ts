import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Debian keeps servers in folders that are not in every PATH. */
const MORE_FOLDERS = ['/usr/sbin', '/sbin']

/** The path of a program of the system; undefined if it is not installed. */
export const findProgram = (name: string): string | undefined =>
  [...(process.env.PATH ?? '').split(':'), ...MORE_FOLDERS]
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path))
