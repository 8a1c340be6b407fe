import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { findServer } from '../src/postgres/embedded/process.ts'
import { ADMIN_KEY } from './bench.ts'
import { say, spreadOf } from './figures.ts'
import { type Ask, startLoad } from './load/trial.ts'
import { writeTexts } from './seed/texts.ts'
import { createConnection, send, sendWell } from './servers/http.ts'
import { endProcess, findFreePort, openPostgres, openRedis } from './servers/servers.ts'
import { untilTrue } from './servers/waiting.ts'

/**
 * Measures the service beside other comment engines, one engine at a time, with the same texts and counts.
 * Each engine keeps its data in a folder below `--folder`. `--fill` posts the first comments, which takes
 * minutes; without it, the engine is measured on them. docs/performance.md says how to install the peers.
 */

const USAGE = `node bench/peers.ts --folder FOLDER [--fill] [--seconds N] ENGINE…
ENGINE is afterword, afterword-redis, isso=PATH_OF_ISSO or waline=PATH_OF_VANILLA_JS.
FOLDER of waline must contain waline.sqlite, an empty database with the schema of Waline.`

const THREADS = 50
const COMMENTS_OF_THREAD = 218
/** This thread gets a hundred comments and no more. */
const READ_THREAD = THREADS
const COMMENTS_OF_READ_THREAD = 100
const CONNECTIONS = 32
const ROUNDS = 3
const WARM_SECONDS = 0.5
/** A slow engine needs more: all connections wait for their first response. */
const SECONDS = '2'
const POSTS_OF_TRIAL = 15_000

const ROOT = join(import.meta.dirname, '..')
const TICKS_PER_SECOND = 100

type Opened = {
  /** Processes whose descendants belong to the engine, too. */
  readonly pids: () => readonly number[]
  readonly url: string
  readonly close: () => Promise<unknown>
}

type Engine = {
  readonly open: (folder: string, program: string) => Promise<Opened>
  readonly post: (thread: number, text: string) => Ask
  readonly recent: string
  readonly thread: string
  /** Visible comments of all threads. */
  readonly count: (url: string) => Promise<number>
}

const threads = Array.from({ length: THREADS + 1 }, (_, thread) => thread)
const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)
const readJson = async (url: string, json?: unknown) =>
  JSON.parse((await sendWell(url, json === undefined ? {} : { json })).body.toString())

const startProgram = async (
  folder: string,
  [command, ...args]: readonly [string, ...string[]],
  { url, env, ready }: { url: string; env: Record<string, string>; ready: string },
): Promise<ChildProcess> => {
  const log = openSync(join(folder, 'output.log'), 'a')
  const { PATH, HOME } = process.env
  const options = { cwd: ROOT, env: { PATH, HOME, ...env }, detached: true }
  const child = spawn(command, args, { ...options, stdio: ['ignore', log, log] })
  closeSync(log)
  await once(child, 'spawn')
  const isReady = async () => {
    if (child.exitCode !== null) throw new Error(`${command} has ended: see ${folder}`)
    return (await send(`${url}${ready}`).catch(() => undefined))?.status === 200
  }
  try {
    await untilTrue(`${command} answers`, isReady)
  } catch (error) {
    await endProcess(child)
    throw error
  }
  return child
}

const SITE = '/v1/sites/default'
const NO_LIMIT = '1000000000'

const openAfterword = async (folder: string, settings: Record<string, string>): Promise<Opened> => {
  const port = await findFreePort()
  const url = `http://127.0.0.1:${port}`
  const limits = { AFTERWORD_LIMIT_READ: NO_LIMIT, AFTERWORD_LIMIT_WRITE: NO_LIMIT }
  const env = { PORT: String(port), AFTERWORD_ADMIN_KEY: ADMIN_KEY, ...limits, ...settings }
  const command = [process.execPath, 'src/main.ts'] as const
  const child = await startProgram(folder, command, { url, env, ready: '/readyz' })
  const postgres = () => findServer(join(folder, 'data/postgres'))?.pid
  return {
    pids: () => [child.pid!, ...[postgres()].filter((pid) => pid !== undefined)],
    url,
    close: () => endProcess(child),
  }
}

const AFTERWORD = {
  post: (thread: number, text: string) => ({
    path: `${SITE}/articles/${thread}/comments`,
    body: JSON.stringify({ body: text, author: { name: 'Ada' } }),
  }),
  recent: `${SITE}/comments?limit=20`,
  thread: `${SITE}/articles/${READ_THREAD}/comments?limit=100`,
  count: async (url: string) => {
    const counts = await readJson(`${url}${SITE}/counts`, { article_ids: threads.map(String) })
    return sum(Object.values<{ comment_count: number }>(counts).map((of) => of.comment_count))
  },
}

const ENGINES: Record<string, Engine> = {
  afterword: {
    ...AFTERWORD,
    open: (folder) => openAfterword(folder, { AFTERWORD_DATA: join(folder, 'data') }),
  },

  'afterword-redis': {
    ...AFTERWORD,
    open: async (folder) => {
      const postgres = await openPostgres(folder)
      const redis = await openRedis(folder)
      const urls = { DATABASE_URL: postgres.url, REDIS_URL: redis.url }
      const service = await openAfterword(folder, urls)
      const close = async () => {
        for (const stop of [service.close, redis.stop, postgres.stop]) await stop()
      }
      return {
        ...service,
        pids: () => [...service.pids(), ...childrenCalled('redis-server')],
        close,
      }
    },
  },

  isso: {
    open: async (folder, program) => {
      const port = await findFreePort()
      const url = `http://127.0.0.1:${port}`
      const general = `[general]\ndbpath = ${folder}/isso.db\nhost = ${url}\nlatest-enabled = true`
      const server = `[server]\nlisten = ${url}\npublic-endpoint = ${url}`
      const file = join(folder, 'isso.cfg')
      writeFileSync(file, `${general}\n${server}\n[guard]\nenabled = false\n`)
      const command = [program, '-c', file, 'run'] as const
      const child = await startProgram(folder, command, { url, env: {}, ready: '/js/embed.min.js' })
      return { pids: () => [child.pid!], url, close: () => endProcess(child) }
    },
    post: (thread, text) => ({
      path: `/new?uri=%2F${thread}`,
      body: JSON.stringify({ text, author: 'Ada', title: `Article ${thread}` }),
    }),
    recent: '/latest?limit=20',
    thread: `/?uri=%2F${READ_THREAD}&limit=100`,
    count: async (url) =>
      sum(
        await readJson(
          `${url}/count`,
          threads.map((thread) => `/${thread}`),
        ),
      ),
  },

  waline: {
    open: async (folder, program) => {
      const port = await findFreePort()
      const url = `http://127.0.0.1:${port}`
      const empty = join(folder, '../waline.sqlite')
      if (!existsSync(join(folder, 'waline.sqlite')))
        copyFileSync(empty, join(folder, 'waline.sqlite'))
      // Waline asks a server on the internet for each request which accounts readers can sign on with.
      const accounts = createServer((_, answer) => void answer.end('{"services":[]}'))
      await once(accounts.listen(0, '127.0.0.1'), 'listening')
      const { port: accountsPort } = accounts.address() as { port: number }
      const env = {
        HOST: '127.0.0.1',
        SQLITE_PATH: folder,
        JWT_TOKEN: randomUUID(),
        OAUTH_URL: `http://127.0.0.1:${accountsPort}`,
        SERVER_URL: url,
        IPQPS: '0',
        AKISMET_KEY: 'false',
        DISABLE_REGION: 'true',
        DISABLE_AUTHOR_NOTIFY: 'true',
      }
      const ready = '/api/comment?type=count&url=/0'
      const command = [process.execPath, program, String(port)] as const
      const child = await startProgram(folder, command, { url, env, ready })
      const close = async () => {
        await endProcess(child)
        accounts.closeAllConnections()
        accounts.close()
      }
      return { pids: () => [child.pid!], url, close }
    },
    post: (thread, text) => ({
      path: '/api/comment',
      body: JSON.stringify({
        comment: text,
        nick: 'Ada',
        mail: 'ada@example.org',
        link: '',
        url: `/${thread}`,
        ua: 'bench',
      }),
    }),
    recent: '/api/comment?type=recent&count=20',
    thread: `/api/comment?path=/${READ_THREAD}&pageSize=100&page=1&sortBy=insertedAt_desc`,
    count: async (url) => {
      const paths = threads.map((thread) => `/${thread}`).join()
      const { data } = await readJson(`${url}/api/comment?type=count&url=${paths}`)
      return sum(
        data.map((one: number | { count: number }) => (typeof one === 'number' ? one : one.count)),
      )
    },
  },
}

type Process = {
  readonly pid: number
  readonly parent: number
  readonly name: string
  ticks: number
}

const readProcess = (pid: number): Process | undefined => {
  try {
    const [, name, rest] = /\((.*)\) (.*)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))!
    const fields = rest!.split(' ')
    // User and system time, of the process and of its children that have ended.
    return {
      pid,
      parent: Number(fields[1]),
      name: name!,
      ticks: sum(fields.slice(11, 15).map(Number)),
    }
  } catch {
    return undefined
  }
}

const listProcesses = (): Process[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => readProcess(Number(pid)))
    .filter((found) => found !== undefined)

const childrenCalled = (name: string): number[] =>
  listProcesses()
    .filter((child) => child.parent === process.pid && child.name === name)
    .map(({ pid }) => pid)

/** These processes and all their descendants. */
const treeOf = (roots: readonly number[]): Process[] => {
  const all = listProcesses()
  const found = new Set(roots)
  for (let size = 0; size !== found.size; ) {
    size = found.size
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid)
  }
  return all.filter(({ pid }) => found.has(pid))
}

const processorSeconds = ({ pids }: Opened): number =>
  sum(treeOf(pids()).map(({ ticks }) => ticks)) / TICKS_PER_SECOND

/** Proportional set size: memory that processes share counts once. */
const memoryMegabytes = ({ pids }: Opened): number =>
  sum(
    treeOf(pids()).map(({ pid }) => {
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
      return Number(/^Pss:\s+(\d+) kB/m.exec(text)![1]) / 1024
    }),
  )

const TEXTS = writeTexts()
/** Two sentences, and a word that makes the text differ from all others. */
const createText = (n: number): string =>
  `${TEXTS[n % TEXTS.length]!.body} ${TEXTS[(7 * n) % TEXTS.length]!.body} ${randomUUID()}`

const JSON_TYPE = { 'content-type': 'application/json' }

const fill = async ({ post, count }: Engine, { url }: Opened): Promise<void> => {
  const asks = [
    ...Array.from({ length: COMMENTS_OF_READ_THREAD }, (_, n) => post(READ_THREAD, createText(n))),
    ...Array.from({ length: THREADS * COMMENTS_OF_THREAD }, (_, n) =>
      post(n % THREADS, createText(n)),
    ),
  ].values()
  const write = async () => {
    const agent = createConnection()
    for (const { path, body } of asks)
      await sendWell(`${url}${path}`, { method: 'POST', json: JSON.parse(body!), agent })
    agent.destroy()
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, write))
  print(`${await count(url)} comments`)
}

const measure = async (
  name: string,
  engine: Engine,
  opened: Opened,
  seconds: number,
): Promise<void> => {
  const load = startLoad()
  const { url } = opened
  let answers = 0
  const trial = async (asks: readonly Ask[], duration: number, method: string) => {
    const begun = processorSeconds(opened)
    const job = {
      url,
      connections: CONNECTIONS,
      seconds: duration,
      method,
      headers: JSON_TYPE,
      asks,
    }
    const found = await load.run(job)
    const isWell = Object.keys(found.statuses).every((status) => status < '300') && !found.failures
    if (!isWell) throw new Error(`${name}: ${JSON.stringify(found)}`)
    answers += found.answers
    const micros = ((processorSeconds(opened) - begun) * 1e6) / found.answers
    return { rate: found.rate, micros }
  }
  const rounds = async (what: string, run: () => ReturnType<typeof trial>) => {
    const found = []
    for (let round = 0; round < ROUNDS; round++) found.push(await run())
    const rate = spreadOf(found.map((one) => one.rate))
    const micros = spreadOf(found.map((one) => one.micros))
    const spread = `${say(rate.low)}–${say(rate.high)}`
    print(`${name}: ${what} ${say(rate.value)}/s (${spread}), ${say(micros.value)} µs each`)
  }
  const createPosts = () =>
    Array.from({ length: POSTS_OF_TRIAL }, (_, n) => engine.post(n % THREADS, createText(n)))
  try {
    await trial(createPosts(), WARM_SECONDS, 'POST')
    const before = await engine.count(url)
    answers = 0
    await rounds('posts', () => trial(createPosts(), seconds, 'POST'))
    const posted = answers
    const stored = (await engine.count(url)) - before
    print(`${name}: ${before} comments before, ${posted} posts answered, ${stored} stored`)
    // A post that waits for its response at the end of a trial can be stored.
    if (stored < posted) throw new Error(`${name} lost posts`)
    for (const what of ['recent', 'thread'] as const) {
      await trial([{ path: engine[what] }], WARM_SECONDS, 'GET')
      await rounds(what, () => trial([{ path: engine[what] }], seconds, 'GET'))
    }
    print(`${name}: memory ${say(memoryMegabytes(opened))} MB`)
  } finally {
    await load.stop()
  }
}

const print = (text: string): void => void process.stdout.write(`${text}\n`)

const main = async (): Promise<void> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      folder: { type: 'string' },
      fill: { type: 'boolean', default: false },
      seconds: { type: 'string', default: SECONDS },
    },
  })
  if (!values.folder || positionals.length === 0) throw new Error(USAGE)
  for (const positional of positionals) {
    const [name, program = ''] = positional.split('=') as [string, string?]
    const engine = ENGINES[name]
    if (!engine) throw new Error(USAGE)
    const folder = resolve(values.folder, name)
    mkdirSync(folder, { recursive: true })
    chmodSync(folder, 0o755)
    const opened = await engine.open(folder, program && resolve(program))
    try {
      await (values.fill
        ? fill(engine, opened)
        : measure(name, engine, opened, Number(values.seconds)))
    } finally {
      await opened.close()
    }
  }
}

await main()
