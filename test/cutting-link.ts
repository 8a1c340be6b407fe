import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

type Teardown = { teardown: (callback: () => unknown) => void }

/** When a connection is cut: before the server receives the bytes with a command, or after it has run the command. */
export type Cut = { readonly command: 'begin' | 'commit'; readonly when: 'before' | 'after' }

/**
 * Opens a way to a database that loses its connection at the next such command, once. The client gets no answer to
 * the command.
 */
export const openCuttingLink = async (
  t: Teardown,
  databaseUrl: string,
): Promise<{ url: string; cutOn: (cut: Cut) => void }> => {
  const target = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  let cut: Cut | undefined
  const server = createServer((near) => {
    const far = connect({ host: target.hostname, port: Number(target.port) })
    const end = () => {
      near.destroy()
      far.destroy()
    }
    let isWaiting = false
    for (const socket of [near, far]) sockets.add(socket.on('error', end).on('close', end))
    near.on('data', (bytes) => {
      const isHit = cut !== undefined && bytes.includes(cut.command)
      if (!isHit) return far.write(bytes)
      if (cut!.when === 'before') {
        cut = undefined
        return end()
      }
      isWaiting = true
      return far.write(bytes)
    })
    far.on('data', (bytes) => {
      if (!isWaiting) return near.write(bytes)
      if (!bytes.includes(cut!.command.toUpperCase())) return true
      cut = undefined
      return end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const url = new URL(databaseUrl)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as { port: number }).port)
  const cutOn = (next: Cut) => {
    cut = next
  }
  return { url: url.href, cutOn }
}
