import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, createReadStream, createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { migrate } from '../src/postgres/connection/migrate.ts'
import { quantile, say } from './figures.ts'
import { createRandom } from './random.ts'
import { writeTexts } from './seed/texts.ts'
import { createConnection, send } from './servers/http.ts'
import { residentBytes, startProcess, stopProcesses } from './servers/processes.ts'
import { openPostgres } from './servers/servers.ts'

/**
 * Measures an import from WordPress, beside `COPY` of the same rows into the same tables, and what readers notice:
 *
 *     node bench/imports.ts [--comments 100000]
 */

const { values } = parseArgs({ options: { comments: { type: 'string', default: '100000' } } })
const COMMENTS = Number(values.comments)
const PER_ARTICLE = 50
const AUTHORS = 5_000
const MINUTE_MS = 60_000
const MEBIBYTE = 2 ** 20
const ROOT = join(import.meta.dirname, '..')
const KEY = 'a-key-of-the-benchmark-for-imports'
const POLL_MS = 100
/** Between two reads: the reader is one of many, and does not load the service. */
const PAUSE_MS = 5
const IDLE_SECONDS = 15

const folder = mkdtempSync(join(tmpdir(), 'afterword-bench-'))
chmodSync(folder, 0o777)

const writeExport = async (path: string, base: string): Promise<void> => {
  const [random, texts] = [createRandom(7), writeTexts()]
  const out = createWriteStream(path)
  const write = async (text: string): Promise<void> => {
    if (!out.write(text)) await once(out, 'drain')
  }
  await write(`<?xml version="1.0"?><rss xmlns:wp="http://wordpress.org/export/1.2/"><channel>
<link>${base}</link><wp:wxr_version>1.2</wp:wxr_version><wp:base_site_url>${base}</wp:base_site_url>`)
  for (let id = 1; id <= COMMENTS; id += PER_ARTICLE) {
    const comments = Array.from({ length: Math.min(PER_ARTICLE, COMMENTS - id + 1) }, (_, at) => {
      const author = Math.floor(random() * AUTHORS)
      const date = new Date(Date.UTC(2010) + (id + at) * MINUTE_MS).toISOString()
      const time = date.slice(0, 19).replace('T', ' ')
      const parent = at > 0 && random() < 0.5 ? id + Math.floor(random() * at) : 0
      return `<wp:comment><wp:comment_id>${id + at}</wp:comment_id><wp:comment_author>Reader ${author}</wp:comment_author>
<wp:comment_author_email>reader${author}@mail.example</wp:comment_author_email><wp:comment_date_gmt>${time}</wp:comment_date_gmt>
<wp:comment_content><![CDATA[${texts[Math.floor(random() * texts.length)]!.body}]]></wp:comment_content>
<wp:comment_approved>1</wp:comment_approved><wp:comment_type>comment</wp:comment_type><wp:comment_parent>${parent}</wp:comment_parent></wp:comment>`
    })
    await write(`<item><title>Article ${id}</title><link>${base}/${id}</link><wp:post_id>${id}</wp:post_id>
<wp:comment_status>open</wp:comment_status><wp:post_type>post</wp:post_type>${comments.join('\n')}</item>\n`)
  }
  out.end('</channel></rss>\n')
  await once(out, 'close')
}

/** Runs `npm run import` as its script does. @returns seconds, and the most resident memory in MiB */
const runImport = async (url: string, path: string) => {
  const begun = performance.now()
  const limits = ['--max-semi-space-size=2', '--max-old-space-size=128']
  const child = spawn(
    process.execPath,
    [...limits, 'scripts/import.ts', path, '--site', 'default'],
    {
      cwd: ROOT,
      env: { ...process.env, DATABASE_URL: url, MALLOC_ARENA_MAX: '1' },
      stdio: 'ignore',
    },
  )
  let most = 0
  const ended = once(child, 'exit')
  while (child.exitCode === null) {
    most = Math.max(most, residentBytes(child.pid!) || 0)
    await Promise.race([ended, sleep(POLL_MS)])
  }
  if (child.exitCode !== 0) throw new Error(`the import ended with ${child.exitCode}`)
  return { seconds: (performance.now() - begun) / 1000, mebibytes: most / MEBIBYTE }
}

/** In the order of their foreign keys. */
const TABLES =
  'import_origins authors threads comments comment_tallies comment_revisions imported_authors imported_comments'

/** Copies the rows of one database into the same tables of an empty one. @returns seconds of `COPY … from` */
const copyRows = async (url: string): Promise<number> => {
  const other = new URL(url)
  other.pathname = '/copied'
  const from = new pg.Client(url)
  await from.connect()
  await from.query('create database copied')
  await migrate({ url: other.href })
  const to = new pg.Client(other.href)
  await to.connect()
  await to.query(`insert into sites (slug, name) values ('default', 'Default')`)
  let milliseconds = 0
  for (const table of TABLES.split(' ')) {
    const { rows } = await from.query(
      `select string_agg(column_name, ', ' order by ordinal_position) as names from information_schema.columns
       where table_schema = 'public' and table_name = $1 and is_generated = 'NEVER'`,
      [table],
    )
    const file = `'${folder}/${table}'`
    const order = table.startsWith('import') ? '1, 2, 3' : table === 'authors' ? 'id' : '1, 2, 3'
    await from.query(`copy (select ${rows[0].names} from ${table} order by ${order}) to ${file}`)
    const begun = performance.now()
    await to.query(`copy ${table} (${rows[0].names}) from ${file}`)
    milliseconds += performance.now() - begun
  }
  await Promise.all([from.end(), to.end()])
  return milliseconds / 1000
}

/** Reads one cached page after the other until `isOver`. @returns milliseconds of each read */
const readPages = async (url: string, isOver: () => boolean): Promise<number[]> => {
  const agent = createConnection()
  const page = `${url}/v1/sites/default/articles/${encodeURIComponent('https://one.example/1')}/comments`
  const times: number[] = []
  while (!isOver()) {
    const begun = performance.now()
    const { status } = await send(page, { agent })
    if (status !== 200) throw new Error(`a read was answered ${status}`)
    times.push(performance.now() - begun)
    await sleep(PAUSE_MS)
  }
  agent.destroy()
  return times
}

const measureReads = async (databaseUrl: string, path: string) => {
  const service = await startProcess({
    args: ['src/main.ts'],
    settings: { DATABASE_URL: databaseUrl, AFTERWORD_ADMIN_KEY: KEY, AFTERWORD_LIMIT_READ: '0' },
    readyPath: '/readyz',
    logFile: join(folder, 'service.log'),
  })
  const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/octet-stream' }
  const imports = `${service.url}/v1/sites/default/imports`
  await readPages(service.url, endAfter(IDLE_SECONDS / 3))
  const idle = await readPages(service.url, endAfter(IDLE_SECONDS))
  const body = createReadStream(path) as unknown as ReadableStream
  const started = await fetch(imports, { method: 'POST', headers, body, duplex: 'half' } as object)
  if (started.status !== 202) throw new Error(`the upload was answered ${started.status}`)
  const { id } = (await started.json()) as { id: string }
  let isOver = false
  const busy = readPages(service.url, () => isOver)
  for (let state = ''; !isOver; isOver = ['done', 'failed'].includes(state)) {
    await sleep(POLL_MS)
    state = ((await (await fetch(`${imports}/${id}`, { headers })).json()) as { state: string })
      .state
  }
  const during = await busy
  await service.stop()
  return { idle: quantile(idle, 0.99), during: quantile(during, 0.99) }
}

const endAfter = (seconds: number) => {
  const end = performance.now() + seconds * 1000
  return () => performance.now() > end
}

try {
  const paths = [join(folder, 'one.xml'), join(folder, 'two.xml')] as const
  await writeExport(paths[0], 'https://one.example')
  await writeExport(paths[1], 'https://two.example')
  const postgres = await openPostgres(folder)
  const { seconds, mebibytes } = await runImport(postgres.url, paths[0])
  const copying = await copyRows(postgres.url)
  const reads = await measureReads(postgres.url, paths[1])
  await postgres.stop()
  process.stdout.write(`${COMMENTS} comments from WXR: ${say(seconds)} s, ${say(COMMENTS / seconds)} comments/s
resident memory, at most: ${say(mebibytes)} MiB
COPY of the same rows: ${say(copying)} s; the import has ${say(copying / seconds)} of its rate
p99 of cached reads: ${say(reads.idle)} ms idle, ${say(reads.during)} ms during an import: ${say(reads.during / reads.idle)} times
`)
} finally {
  await stopProcesses()
  rmSync(folder, { recursive: true, force: true })
}
