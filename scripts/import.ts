import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { NO_CACHE_TOKENS } from '../src/cache/cache-tokens.ts'
import { readConfig } from '../src/config.ts'
import { type ImportReport, UNAPPROVED, type Unapproved } from '../src/domain/importing/import.ts'
import { IMPORT_FORMATS, type ImportFormat } from '../src/domain/importing/records.ts'
import { parseUrlMap, type UrlMap } from '../src/domain/importing/url-map.ts'
import { createBanHashes } from '../src/http/edge/writer-identity.ts'
import { presentReport } from '../src/http/imports/present.ts'
import { deriveKeys } from '../src/http/wire/keys.ts'
import { createPublicIds } from '../src/http/wire/public-ids.ts'
import { createDb, type Db } from '../src/postgres/connection/db.ts'
import { migrate } from '../src/postgres/connection/migrate.ts'
import { findImport, insertImport, OPERATOR } from '../src/postgres/importing/imports.ts'
import { findSite, insertFirstSite } from '../src/postgres/service/sites.ts'
import type { ImportProgress } from '../src/usecases/importing/import-run.ts'
import { runImport } from '../src/usecases/importing/run-import.ts'
import { endImport } from '../src/usecases/importing/run-import-job.ts'
import { ensureIdSecret, ensureSecrets } from '../src/usecases/seed-database.ts'
import { openDatabase } from './open-database.ts'
import { createProgress } from './progress.ts'
import { runScript, say } from './say.ts'

/** `npm run import`: imports the comments of another system, or an export of this service, from a file. */

const USAGE = `npm run import -- FILE --site SLUG [--dry-run] [--url-map FILE] [--unapproved keep|skip]
  [--format ${IMPORT_FORMATS.join('|')}] [--origin NAME] [--json]
--dry-run reports what the import would do. --url-map names the article of each old address.
--unapproved skip leaves out comments that the other system did not show.
Goes to DATABASE_URL, or to the embedded Postgres in AFTERWORD_DATA, whether the service runs or not.
A repeated import, also after a kill, stores nothing twice.`

const READING_CONNECTIONS = 2
const WRITING_CONNECTIONS = 2
const CHUNK_BYTES = 262_144

const main = async (): Promise<boolean> => {
  const options = readArguments()
  const { size } = await stat(options.file)
  const urlMap = options.urlMap ? parseUrlMap(await readFile(options.urlMap, 'utf8')) : undefined
  const { url, close } = await openDatabase(say)
  const read = createDb({ url, max: READING_CONNECTIONS, onError: () => {} })
  const write = createDb({ url, max: WRITING_CONNECTIONS, onError: () => {} })
  try {
    await migrate({ url })
    return await importInto({ read: read.db, write: write.db }, { ...options, size, urlMap })
  } finally {
    await Promise.all([read.close(), write.close()])
    await close()
  }
}

type Options = ReturnType<typeof readArguments>
type Target = { readonly read: Db; readonly write: Db }

/** @returns whether the file was imported */
const importInto = async (
  { read, write }: Target,
  options: Omit<Options, 'urlMap'> & { size: number; urlMap: UrlMap | undefined },
): Promise<boolean> => {
  await insertFirstSite(write, { slug: 'default', name: 'Default' })
  const site = await findSite(read, options.site)
  if (!site) throw new Error(`there is no site ${options.site}`)
  const secrets = await ensureSecrets(write, readConfig(process.env).secrets)
  const banHashes = createBanHashes(() => deriveKeys(secrets))
  const idsOf = createPublicIds(await ensureIdSecret(write))
  const context = { db: read, writes: write, cacheTokens: NO_CACHE_TOKENS, banHashes, idsOf }
  const { dryRun, unapproved, wantedFormat, wantedOrigin } = options
  const settings = { dryRun, unapproved, wantedFormat, wantedOrigin }
  const wanted = await insertImport(write, {
    siteId: site.id,
    state: 'running',
    askedBy: OPERATOR,
    ...settings,
  })
  const key = { siteId: site.id, id: wanted.id }
  await endImport(context, key, () =>
    runImport(context, {
      site,
      wanted,
      chunks: createReadStream(options.file, { highWaterMark: CHUNK_BYTES }),
      articleOf: (address) => options.urlMap?.(address),
      isInBackground: false,
      onProgress: showProgress(options.size),
    }),
  )
  const { report, fault } = (await findImport(read, key))!
  if (fault) {
    const where = fault.line === null ? '' : `Line ${fault.line}, column ${fault.column ?? 1}: `
    throw new Error(`${options.file} was not imported. ${where}${fault.detail}`)
  }
  print(options.json ? JSON.stringify(presentReport(report!), null, 2) : tell(report!, dryRun))
  return true
}

/** Shows how much of the file is read, and then how many comments are stored. */
const showProgress = (size: number) => {
  const reading = createProgress('Reading bytes', size, process.stderr)
  let storing: ReturnType<typeof createProgress> | undefined
  let [read, stored] = [0, 0]
  return async (progress: ImportProgress): Promise<void> => {
    if (progress.step === 'read') {
      reading(progress.bytes - read)
      read = progress.bytes
      return
    }
    storing ??= createProgress('Storing comments', progress.total, process.stderr)
    storing(progress.comments - stored)
    stored = progress.comments
  }
}

/** The report as a person reads it. */
const tell = (report: ImportReport, dryRun: boolean): string => {
  const { comments, threads, authors, orphans, repairs, keptHere } = report
  const skipped = Object.entries(comments.skipped).map(([reason, n]) => `${n} ${reason}`)
  return [
    `${dryRun ? 'A dry run of' : 'Imported'} ${report.format} from ${report.origin}`,
    `comments: ${comments.total} in the file, ${comments.created} created, ${comments.updated} updated, ${comments.unchanged} unchanged`,
    `skipped:  ${skipped.join(', ') || 'none'}`,
    `threads:  ${threads.created} created, ${threads.matched} existed`,
    `authors:  ${authors.created} created, ${authors.matched} existed`,
    ...orphans.items.map(
      ({ id, reason }) => `comment ${id} became a root comment: parent ${reason}`,
    ),
    ...repairs.items.map(({ what, line, column }) => `line ${line}, column ${column}: ${what}`),
    ...keptHere.items.map(({ id, what }) => `comment ${id}: the ${what} of this site was kept`),
  ].join('\n')
}

const readArguments = () => {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        site: { type: 'string' },
        'dry-run': { type: 'boolean', default: false },
        'url-map': { type: 'string' },
        unapproved: { type: 'string', default: 'keep' },
        format: { type: 'string' },
        origin: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    })
    const [file, ...rest] = positionals
    const { site, unapproved, format } = values
    if (!file || rest.length > 0 || !site) throw new Error('FILE and --site are needed')
    if (!UNAPPROVED.includes(unapproved as Unapproved))
      throw new Error('--unapproved must be keep or skip')
    if (format !== undefined && !IMPORT_FORMATS.includes(format as ImportFormat))
      throw new Error(`--format must be one of ${IMPORT_FORMATS.join(', ')}`)
    return {
      file,
      site,
      dryRun: values['dry-run'],
      urlMap: values['url-map'],
      unapproved: unapproved as Unapproved,
      wantedFormat: (format as ImportFormat | undefined) ?? null,
      wantedOrigin: values.origin ?? null,
      json: values.json,
    }
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${USAGE}`)
  }
}

const print = (text: string): void => void process.stdout.write(`${text}\n`)
await runScript(async () => {
  process.exitCode = (await main()) ? 0 : 1
})
