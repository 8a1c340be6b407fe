import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

type Teardown = { teardown: (callback: () => unknown) => void }

/** A way to a server, which can be hurt and healed. */
export type Link = {
  readonly port: number
  /** Ends every connection, and each new one immediately. */
  readonly cut: () => void
  /** Connections stay and come, but nothing passes until the link is healed. */
  readonly freeze: () => void
  /** Delays every byte by this time. */
  readonly slow: (delayMs: number) => void
  readonly heal: () => void
}

type Server = { readonly host: string; readonly port: number }

export const openLink = async (t: Teardown, target: Server): Promise<Link> => {
  const sockets = new Set<Socket>()
  const state = { isCut: false, delayMs: 0, thawed: Promise.resolve(), thaw: () => {} }
  const forward = async (from: Socket, to: Socket): Promise<void> => {
    for await (const bytes of from) {
      if (state.delayMs > 0) await sleep(state.delayMs)
      await state.thawed
      if (!to.write(bytes)) await once(to, 'drain')
    }
    to.end()
  }
  const join = (near: Socket, far: Socket): void => {
    const end = () => {
      for (const socket of [near, far]) sockets.delete(socket.destroy())
    }
    for (const socket of [near, far]) {
      sockets.add(socket.setNoDelay())
      socket.on('error', end).on('close', end)
    }
    forward(near, far).catch(end)
    forward(far, near).catch(end)
  }
  const server = createServer((near) => {
    if (state.isCut) near.resetAndDestroy()
    else join(near, connect(target))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const dropAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  const heal = () => {
    Object.assign(state, { isCut: false, delayMs: 0 })
    state.thaw()
  }
  t.teardown(() => {
    heal()
    server.close()
    dropAll()
  })
  return {
    port: (server.address() as { port: number }).port,
    cut: () => {
      state.isCut = true
      dropAll()
    },
    freeze: () => {
      state.thawed = new Promise((resolve) => {
        state.thaw = resolve
      })
    },
    slow: (delayMs) => {
      state.delayMs = delayMs
    },
    heal,
  }
}
