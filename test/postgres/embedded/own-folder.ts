import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import { openEmbedded } from '../../../src/postgres/embedded/embedded.ts'
import { findServer } from '../../../src/postgres/embedded/process.ts'

export const FAST = { fsync: 'off' }
export type Options = Partial<Parameters<typeof openEmbedded>[0]>

export const open = async (t: Test, dataDir: string, options: Options = {}) => {
  const { log } = createLog()
  const embedded = await openEmbedded({
    dataDir,
    mayRelocate: false,
    settings: FAST,
    log,
    ...options,
  })
  t.teardown(() => embedded.close())
  return embedded
}

export const createLog = () => {
  const warnings: string[] = []
  const warn = (_fields: object, message: string) => void warnings.push(message)
  return { warnings, log: { info: () => {}, warn } }
}

/** Removed last: tap runs tear-downs in reverse, so the server in it is closed by then. */
export const tempFolder = (t: Test, mode = 0o755): string => {
  const folder = mkdtempSync(join(tmpdir(), 'afterword-embedded-'))
  chmodSync(folder, mode)
  t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

export const ask = async (url: string, statement: string): Promise<unknown> => {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query({ text: statement, rowMode: 'array' })
    return rows[0]?.[0]
  } finally {
    await client.end()
  }
}

export const serverPid = (dataDir: string): number =>
  findServer(join(dataDir, 'postgres'))?.pid ?? 0

export const until = async (what: string, isTrue: () => boolean): Promise<void> => {
  const begun = Date.now()
  while (!isTrue()) {
    if (Date.now() - begun > 20_000) throw new Error(`waited 20 s in vain until ${what}`)
    await sleep(20)
  }
}

/** An initdb costs 0.7 s and more: tests that need no fresh folder take turns on this one. */
export const dataDir = join(tempFolder(t), 'data')
