import { spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { skipShared, startServer } from '../redis/own-server.ts'
import { createDatabase } from '../servers.ts'
import { findFreePort, start, until } from '../start.ts'

const DOC = readFileSync(join(import.meta.dirname, '../../docs/proxies.md'), 'utf8')
const NODES = 3
const CLIENTS = 12
const REQUESTS = 10_000
/** One request of this many is a post; each text differs. */
const POST_EVERY = 5
const THREADS = 20
const LIMIT = '1000000000'

const hasNginx = spawnSync('nginx', ['-v']).error === undefined

/** Starts nginx with the recipe of docs/proxies.md and its upstream of three nodes. */
const startNginx = async (t: Test, nodes: readonly number[]): Promise<number> => {
  const folder = mkdtempSync(join(tmpdir(), 'afterword-rolling-'))
  chmodSync(folder, 0o755)
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const blocks = [...DOC.matchAll(/^```nginx\n([\s\S]*?)^```$/gm)].map(([, block]) => block!)
  const upstream = blocks.find((block) => block.includes(':3002 '))!
  const port = await findFreePort()
  const several = nodes.reduce(
    (text, node, n) => text.replace(`:${3000 + n} `, `:${node} `),
    upstream,
  )
  const block = blocks[0]!
    .replace(/^upstream[\s\S]*?^}$/m, several)
    .replace('listen 8080', `listen 127.0.0.1:${port}`)
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const file = join(folder, 'nginx.conf')
  writeFileSync(
    file,
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr; user root;
    events {}
    http {
      access_log off;
      ${folders.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n')}
      ${block}
    }`,
  )
  const child = spawn('nginx', ['-c', file, '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (data) => {
    said += data
  })
  t.teardown(async () => {
    if (child.exitCode === null && child.kill()) await once(child, 'exit')
  })
  await until('for nginx', () => {
    if (child.exitCode !== null) throw new Error(said)
    return fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)
  })
  return port
}

type Answer = { readonly status: number; readonly text: string }

/** A client with one connection, which it keeps as a browser does. */
const createClient = (port: number) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  return async (method: string, path: string, json?: object): Promise<Answer> => {
    const headers = json ? { 'content-type': 'application/json' } : {}
    const message = request({ host: '127.0.0.1', port, method, path, headers, agent })
    message.end(json && JSON.stringify(json))
    const [answer] = await once(message, 'response')
    return { status: answer.statusCode, text: Buffer.concat(await answer.toArray()).toString() }
  }
}

const pathOf = (n: number): string => `/v1/sites/default/articles/a${n % THREADS}/comments`

t.test(
  'three nodes restart one after the other behind nginx, and no request fails',
  {
    skip: skipShared || (!hasNginx && 'nginx is not on the PATH'),
  },
  async (t) => {
    const { url: DATABASE_URL } = await createDatabase(t)
    const redis = await startServer(t)
    const ports = await Promise.all(Array.from({ length: NODES }, findFreePort))
    const startNode = (port: number) =>
      start(t, {
        DATABASE_URL,
        REDIS_URL: redis.url,
        PORT: `${port}`,
        AFTERWORD_POOL: '4',
        AFTERWORD_TRUSTED_PROXIES: '127.0.0.1',
        AFTERWORD_LIMIT_READ: LIMIT,
        AFTERWORD_LIMIT_WRITE: LIMIT,
      })
    const nodes = ports.map(startNode)
    for (const node of nodes) await node.ready()
    const port = await startNginx(t, ports)

    const failures: string[] = []
    const posted: string[] = []
    let sent = 0
    let isRestarting = true
    const run = async (): Promise<void> => {
      const send = createClient(port)
      while (isRestarting || sent < REQUESTS) {
        const n = sent++
        const isPost = n % POST_EVERY === 0
        const text = randomUUID()
        try {
          const answer = isPost
            ? await send('POST', pathOf(n), { body: text, author: { name: 'Ada' } })
            : await send('GET', pathOf(n))
          if (isPost && answer.status === 201) posted.push(JSON.parse(answer.text).id)
          else if (isPost || answer.status !== 200)
            failures.push(
              `${isPost ? 'POST' : 'GET'} ${answer.status} ${answer.text.slice(0, 100)}`,
            )
        } catch (error) {
          failures.push(`${isPost ? 'POST' : 'GET'} ${String(error)}`)
        }
      }
    }
    const clients = Array.from({ length: CLIENTS }, run)
    for (const [i, node] of nodes.entries()) {
      t.equal(await node.stop(), 0, 'the node stops by itself')
      nodes[i] = startNode(ports[i]!)
      await nodes[i].ready()
    }
    isRestarting = false
    await Promise.all(clients)

    t.same(failures, [], `none of ${sent} requests fails`)
    t.ok(sent >= REQUESTS)
    t.equal(new Set(posted).size, posted.length)
    const send = createClient(port)
    const found: string[] = []
    for (let n = 0; n < THREADS; n++) {
      let path: string | undefined = `${pathOf(n)}?view=flat&sort=oldest&limit=100`
      while (path) {
        const { items, next_cursor: next } = JSON.parse((await send('GET', path)).text)
        found.push(...items.map(({ id }: { id: string }) => id))
        path = next && `${pathOf(n)}?view=flat&sort=oldest&limit=100&cursor=${next}`
      }
    }
    t.same(found.sort(), posted.sort(), 'each acknowledged comment is there, once')
  },
)
