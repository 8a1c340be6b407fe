import { createWriteStream, readFileSync } from 'node:fs'
import { rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createGzip } from 'node:zlib'
import { backUp } from '../src/postgres/backup/back-up.ts'
import { openDatabase } from './open-database.ts'
import { runScript, say } from './say.ts'

/** `npm run backup`: writes the whole database to a file. */

const USAGE = `npm run backup -- FILE
Reads DATABASE_URL, or the embedded Postgres in AFTERWORD_DATA, whether the service runs or not.
The file contains the secrets and keys of the service, and the data of people: only its owner can read it.`

const OWNER_ONLY = 0o600

/** The file gets its name once it is whole and on disk. */
const main = async ([file, ...rest]: readonly string[]): Promise<void> => {
  if (!file || rest.length > 0) throw new Error(USAGE)
  const draft = `${file}.part`
  const { directUrl: url, close } = await openDatabase(say)
  try {
    await rm(draft, { force: true })
    await pipeline(
      Readable.from(backUp({ url, service: readVersion() })),
      createGzip({ level: constants.Z_BEST_SPEED }),
      createWriteStream(draft, { flags: 'wx', mode: OWNER_ONLY, flush: true }),
    )
    await rename(draft, file)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  } finally {
    await close()
  }
  say(`${file} has the whole database, in ${(await stat(file)).size} bytes.`)
}

const readVersion = (): string =>
  JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')).version

await runScript(() => main(process.argv.slice(2)))
