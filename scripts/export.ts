import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { createPublicIds } from '../src/http/wire/public-ids.ts'
import { createDb } from '../src/postgres/connection/db.ts'
import { migrate } from '../src/postgres/connection/migrate.ts'
import { findSite } from '../src/postgres/service/sites.ts'
import {
  EXPORT_FORMATS,
  type ExportFormat,
  writeExport,
} from '../src/usecases/exporting/export-site.ts'
import { ensureIdSecret } from '../src/usecases/seed-database.ts'
import { openDatabase } from './open-database.ts'
import { runScript, say } from './say.ts'

/** `npm run export`: writes a site as JSON lines or XML to a file or to standard output. */

const USAGE = `npm run export -- --site SLUG [--format ${EXPORT_FORMATS.join('|')}] [--output FILE]
Reads DATABASE_URL, or the embedded Postgres in AFTERWORD_DATA, whether the service runs or not.`

const OPERATOR = 'operator'
/** One connection reads the snapshot, and one writes the audit entry. */
const CONNECTIONS = 2

const main = async (): Promise<void> => {
  const { site, format, output } = readArguments()
  const { url, close } = await openDatabase(say)
  const pool = createDb({ url, max: CONNECTIONS, onError: () => {} })
  try {
    await migrate({ url })
    const { db } = pool
    const found = await findSite(db, site)
    if (!found) throw new Error(`there is no site ${site}`)
    const idsOf = createPublicIds(await ensureIdSecret(db))
    const context = { writes: db, exports: db, idsOf }
    const pieces = await writeExport(context, { site: found, by: OPERATOR, format })
    await pipeline(
      Readable.from(pieces),
      output === undefined ? process.stdout : createWriteStream(output),
    )
  } finally {
    await pool.close()
    await close()
  }
}

type Arguments = { site: string; format: ExportFormat; output: string | undefined }

const readArguments = (): Arguments => {
  try {
    const { values } = parseArgs({
      options: {
        site: { type: 'string' },
        format: { type: 'string', default: 'jsonl' },
        output: { type: 'string' },
      },
    })
    if (values.site === undefined) throw new Error('--site is missing')
    const format = EXPORT_FORMATS.find((one) => one === values.format)
    if (!format) throw new Error(`--format must be one of ${EXPORT_FORMATS.join(', ')}`)
    return { site: values.site, format, output: values.output }
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${USAGE}`)
  }
}

await runScript(main)
