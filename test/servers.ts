import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { parsePostgresUrl } from '../src/postgres/connection/address.ts'
import { openClient } from '../src/postgres/connection/client.ts'

/** The database that `test/run.ts` migrates once, for every test to clone. */
export const TEMPLATE = 'afterword_template'

const CLONE_MS = 20_000
const CLONE_PAUSE_MS = 20
/** Somebody else clones the template at this moment. */
const OBJECT_IN_USE = '55006'

type Teardown = { teardown: (callback: () => Promise<void>) => void }

/** A migrated, empty database for one test, dropped with all its sessions when the test ends. */
export const createDatabase = async (t: Teardown): Promise<{ url: string }> => {
  const { url, drop } = await cloneTemplate()
  t.teardown(drop)
  return { url }
}

/** A database without a table for one test, dropped when the test ends. */
export const createEmptyDatabase = async (t: Teardown): Promise<string> => {
  const server = testDatabaseUrl()
  const name = `test_${randomBytes(8).toString('hex')}`
  await runOnServer(server, `create database ${name} template template0`)
  t.teardown(() => runOnServer(server, `drop database ${name} with (force)`))
  return urlOf(server, name)
}

/** One statement on a session of its own. */
export const runOnServer = async (url: string, statement: string): Promise<void> => {
  const client = await openClient(parsePostgresUrl(url), { timeoutMs: 10_000 })
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

/** The same server, another database. */
export const urlOf = (serverUrl: string, database: string): string => {
  const url = new URL(serverUrl)
  url.pathname = `/${database}`
  return url.href
}

const testDatabaseUrl = (): string => {
  const url = process.env.TEST_DATABASE_URL
  if (!url) throw new Error('no TEST_DATABASE_URL: run this file with `npm test -- FILE`')
  return url
}

/** Copying files takes half the time of logging each page of the template, which is the default. */
const createClone = (name: string): string =>
  `create database ${name} template ${TEMPLATE} strategy file_copy`

/** A migrated, empty database, for whoever drops it. */
export const cloneTemplate = async (): Promise<{ url: string; drop: () => Promise<void> }> => {
  const server = testDatabaseUrl()
  const name = `test_${randomBytes(8).toString('hex')}`
  for (const begun = Date.now(); ; await sleep(CLONE_PAUSE_MS)) {
    try {
      await runOnServer(server, createClone(name))
      const drop = () => runOnServer(server, `drop database if exists ${name} with (force)`)
      return { url: urlOf(server, name), drop }
    } catch (error) {
      const isBusy = (error as { code?: unknown }).code === OBJECT_IN_USE
      if (!isBusy || Date.now() - begun > CLONE_MS) throw error
    }
  }
}
