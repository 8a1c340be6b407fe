import type { Server } from 'node:http'
import { Server as NetServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const QUIET_MS = 250
const CHECK_MS = 10

/**
 * Refuses new connections, and closes each connection with the next response on it, until no request has come for
 * `QUIET_MS`. A proxy can send a request on an idle connection at the moment that the connection closes, and then
 * must not repeat a post. So idle connections stay open until the proxy has used them or uses other nodes.
 */
export const drain = async (server: Server): Promise<void> => {
  let quietSince = performance.now()
  server.prependListener('request', (_request, response) => {
    quietSince = performance.now()
    response.setHeader('connection', 'close')
  })
  // The method of an HTTP server would close the idle connections too.
  NetServer.prototype.close.call(server)
  while (performance.now() - quietSince < QUIET_MS && (await countConnections(server)) > 0)
    await sleep(CHECK_MS)
}

const countConnections = (server: Server): Promise<number> =>
  new Promise((resolve) => server.getConnections((_error, count) => resolve(count)))
