import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import {
  openPatientRedis,
  type Server,
  startProcess,
  startServer,
  type Test,
  until,
} from './own-server.ts'

/** The name of the master in the sentinels. */
export const MASTER = 'main-one'

/** A master, its replica, and sentinels who agree on which is which. */
export const startSentinels = async (t: Test, count: number) => {
  const master = await withAdmin(t, await startServer(t, AT_ONCE))
  const replicaOf = ['--replicaof', '127.0.0.1', `${master.port}`]
  const replica = await withAdmin(t, await startServer(t, [...AT_ONCE, ...replicaOf]))
  const sentinels = await Promise.all(
    Array.from({ length: count }, async () => withAdmin(t, await startSentinel(t, master.port))),
  )
  await Promise.all(sentinels.map(({ admin }) => untilInformed(admin, count)))
  return { url: sentinelUrlOf(sentinels), master, replica, sentinels }
}

const AT_ONCE = ['--repl-diskless-sync-delay', '0']

const withAdmin = async (t: Test, server: Server) => ({
  ...server,
  admin: await openPatientRedis(t, server.url),
})

/** One that finds alone that the master is down, after half a second. */
export const startSentinel = (t: Test, masterPort: number, settings: string[] = []) => {
  const lines = [
    'bind 127.0.0.1',
    `sentinel monitor ${MASTER} 127.0.0.1 ${masterPort} 1`,
    `sentinel down-after-milliseconds ${MASTER} 500`,
    ...settings,
  ]
  return startProcess(t, ({ port, folder }) => {
    const file = join(folder, 'sentinel.conf')
    writeFileSync(file, [`port ${port}`, `dir ${folder}`, ...lines, ''].join('\n'))
    return [file, '--sentinel']
  })
}

export const sentinelUrlOf = (sentinels: readonly Server[], login = ''): string =>
  `redis+sentinel://${login}${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${MASTER}`

/** Of the replica, that it is in step, and of each other. */
const untilInformed = (sentinel: Redis, count: number) =>
  until('the sentinels to know all', async () => {
    const master = fieldsOf(await sentinel.call('SENTINEL', 'MASTER', MASTER))
    const replicas = (await sentinel.call('SENTINEL', 'REPLICAS', MASTER)) as unknown[]
    const isInformed =
      master['num-other-sentinels'] === `${count - 1}` &&
      replicas.length === 1 &&
      fieldsOf(replicas[0])['master-link-status'] === 'ok'
    return isInformed || undefined
  })

const fieldsOf = (reply: unknown): Record<string, string> => {
  const texts = reply as string[]
  return Object.fromEntries(texts.flatMap((text, i) => (i % 2 ? [] : [[text, texts[i + 1]!]])))
}
