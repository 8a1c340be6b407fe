import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { pino } from 'pino'
import { readConfig } from '../../src/config.ts'
import { createService } from '../../src/service.ts'
import { openPatientRedis, startServer } from '../redis/own-server.ts'
import { createDatabase } from '../servers.ts'
import { type Started, start, until } from '../start.ts'
import { createClient, type Send } from './client.ts'
import { type Link, openLink } from './proxy.ts'
import { partsOf, type Weakness } from './weakness.ts'

const NODE = join(import.meta.dirname, 'node.ts')

export const ADMIN_KEY = 'k'.repeat(32)
export const AS_ADMIN = { authorization: `Bearer ${ADMIN_KEY}` }

type Teardown = { teardown: (callback: () => unknown) => void }

/** A node of the service, and its own ways to Redis and to Postgres. */
export type Node = {
  readonly url: string
  readonly site: string
  readonly link: Link
  readonly database: Link
}
export type ProcessNode = Node & { readonly process: Started }

export type NodeOptions = { weakness?: Weakness; settings?: Record<string, string> }

/** The Postgres and the Redis that the nodes of one test share. */
export type Race = {
  readonly server: Awaited<ReturnType<typeof startServer>>
  /** Straight to the server, whatever happens to the links. */
  readonly redis: Redis
  readonly databaseUrl: string
  readonly send: Send
  /** A node that can be paused and killed. */
  readonly openProcess: (options?: NodeOptions) => Promise<ProcessNode>
  /** A node in the process of the test: there much sooner. */
  readonly openService: (options?: NodeOptions) => Promise<Node>
}

export const openRace = async (t: Teardown): Promise<Race> => {
  const [{ url: databaseUrl }, server] = await Promise.all([createDatabase(t), startServer(t)])
  const redis = await openPatientRedis(t, server.url)
  redis.on('error', () => {})
  const send = createClient(t)

  const openNode = async (
    begin: (env: Record<string, string>) => Promise<{ url: string }>,
    settings = {},
  ): Promise<Node> => {
    const { hostname, port } = new URL(databaseUrl)
    const database = await openLink(t, { host: hostname, port: Number(port || 5432) })
    const link = await openLink(t, { host: '127.0.0.1', port: server.port })
    const env = {
      DATABASE_URL: throughLink(databaseUrl, database),
      REDIS_URL: `redis://127.0.0.1:${link.port}`,
      AFTERWORD_ADMIN_KEY: ADMIN_KEY,
      AFTERWORD_LIMIT_READ: '0',
      AFTERWORD_LIMIT_WRITE: '0',
      ...settings,
    }
    const { url } = await begin(env)
    await untilRedisIs('ok', send, { url })
    return { url, link, database, site: `${url}/v1/sites/default` }
  }

  return {
    server,
    redis,
    databaseUrl,
    send,
    openProcess: async ({ weakness = {}, settings } = {}) => {
      const { promise: process, resolve } = Promise.withResolvers<Started>()
      const begin = async (env: Record<string, string>) => {
        const own = { LOG_LEVEL: 'warn', TEST_WEAKNESS: JSON.stringify(weakness) }
        const started = start(t, { ...env, ...own }, [globalThis.process.execPath, NODE])
        resolve(started)
        return { url: await started.ready() }
      }
      return { ...(await openNode(begin, settings)), process: await process }
    },
    openService: ({ weakness = {}, settings } = {}) =>
      openNode(async (env) => {
        const config = readConfig(env)
        const logger = pino({ level: 'silent' })
        const stop = new AbortController()
        const parts = {
          config,
          databaseUrl: config.DATABASE_URL!,
          logger,
          stop: stop.signal,
          ...partsOf(weakness),
        }
        const service = await createService(parts)
        t.teardown(async () => {
          stop.abort()
          await service.close()
        })
        const url = await service.app.listen({ host: '127.0.0.1', port: 0 })
        await service.prepare()
        return { url }
      }, settings),
  }
}

const throughLink = (databaseUrl: string, { port }: Link): string => {
  const url = new URL(databaseUrl)
  url.host = `127.0.0.1:${port}`
  return url.href
}

/** Asks for nothing that could be remembered. */
export const untilRedisIs = (
  status: 'ok' | 'away',
  send: Send,
  { url }: Pick<Node, 'url'>,
): Promise<boolean> =>
  until(`for Redis to be ${status}`, async () => {
    const { text } = await send(`${url}/readyz`)
    return JSON.parse(text).checks.redis === status
  })
