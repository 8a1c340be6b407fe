import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type { Test } from 'tap'
import { readConfig } from '../src/config.ts'
import { openEmbedded } from '../src/postgres/embedded/embedded.ts'
import { findServer } from '../src/postgres/embedded/process.ts'
import { createService } from '../src/service.ts'

/** Only a request that hangs for good takes this long; the promise is 3 s. */
const HANGS_MS = 8_000
export const logger = pino({ level: 'silent' })
export const KEY = 'k'.repeat(32)

type Teardown = { teardown: (callback: () => unknown) => void }

/** A whole service on a Postgres that can be killed and frozen, over a real socket. */
export const startService = async (t: Test, env: Record<string, string> = {}) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'afterword-faults-'))
  chmodSync(dataDir, 0o755)
  const embedded = await openEmbedded({ dataDir, mayRelocate: false, log: logger })
  const node = await startNode(t, embedded.url, env)
  t.teardown(async () => {
    await node.close()
    await embedded.close()
    rmSync(dataDir, { recursive: true, force: true })
  })
  return {
    ...node,
    url: embedded.url,
    postgres: () => findServer(join(dataDir, 'postgres'))!,
  }
}

type Line = { level: number; msg: string }

/** A node on a Postgres of the test, over a real socket, with the lines of its log. */
export const startNode = async (
  t: Teardown,
  databaseUrl: string,
  env: Record<string, string> = {},
) => {
  const lines: Line[] = []
  const logger = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) })
  const unlimited = { AFTERWORD_LIMIT_READ: '0', AFTERWORD_LIMIT_WRITE: '0' }
  const config = readConfig({ ...unlimited, AFTERWORD_ADMIN_KEY: KEY, ...env })
  const stop = new AbortController().signal
  const service = await createService({ config, databaseUrl, logger, version: '0.0.0', stop })
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= service.close()
    return closing
  }
  t.teardown(close)
  const address = await service.app.listen({ port: 0 })
  await service.prepare()
  return { ...createClient(address), lines, close }
}

/** The fields of a response that these tests read. The path decides which of them exist. */
export type Body = {
  id: string
  code: string
  status: string
  checks: { redis?: string; postgres?: string }
  items: { id: string; body: string }[]
  next_cursor: string | null
}

export const createClient = (address: string) => {
  const ask = async (path: string, init: RequestInit = {}) => {
    const signal = AbortSignal.timeout(HANGS_MS)
    const answer = await fetch(`${address}${path}`, { signal, ...init })
    return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Body }
  }
  const site = '/v1/sites/default'
  const send = (path: string, body: object) =>
    ask(`${site}${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
    })
  const read = (article: string, query = '') =>
    ask(`${site}/articles/${article}/comments?limit=100${query}`)
  /** The text of every comment. */
  const readAll = async (article: string): Promise<string[]> => {
    const texts: string[] = []
    for (let query = ''; ; ) {
      const { body } = await read(article, query)
      texts.push(...body.items.map((comment: { body: string }) => comment.body))
      if (body.next_cursor === null) return texts
      query = `&cursor=${body.next_cursor}`
    }
  }
  return {
    ask,
    read,
    readAll,
    post: (article: string, body: string) =>
      send(`/articles/${article}/comments`, { body, author: { name: 'Ada' } }),
    reject: (id: string) => send(`/comments/${id}/decisions`, { from: 'approved', to: 'rejected' }),
  }
}
