import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { BackupFault } from '../src/postgres/backup/backup-file.ts'
import { restore, verifyBackup } from '../src/postgres/backup/restore.ts'
import { openDatabase } from './open-database.ts'
import { createProgress } from './progress.ts'
import { runScript, say } from './say.ts'

/** `npm run restore`: stores a backup in an empty database. */

const USAGE = `npm run restore -- FILE
Goes to DATABASE_URL, or to the embedded Postgres in AFTERWORD_DATA. The database must be empty.`

const main = async ([file, ...rest]: readonly string[]): Promise<void> => {
  if (!file || rest.length > 0) throw new Error(USAGE)
  const { size } = await stat(file)
  await verifyBackup(read(file, createProgress('Verifying bytes', size, process.stderr)))
  const { directUrl: url, close } = await openDatabase(say)
  try {
    const progress = createProgress('Restoring bytes', size, process.stderr)
    const { header, rows, leftOut } = await restore(url, read(file, progress))
    for (const table of leftOut) say(`Left out ${table}: no migration makes this table.`)
    say(`Restored ${rows} rows, as they were at ${header.at}.`)
  } finally {
    await close()
  }
}

const read = async function* (
  file: string,
  onBytes: (count: number) => void,
): AsyncGenerator<Buffer> {
  const packed = createReadStream(file)
  packed.on('data', (chunk) => onBytes(chunk.length))
  // An error of one stream is an error of the other, which the loop throws.
  const unpacked = pipeline(packed, createGunzip(), () => {})
  try {
    for await (const chunk of unpacked) yield chunk as Buffer
  } catch (error) {
    throw String((error as NodeJS.ErrnoException).code).startsWith('Z_')
      ? new BackupFault(`The file is no backup, or not whole: ${(error as Error).message}.`)
      : error
  }
}

await runScript(() => main(process.argv.slice(2)))
