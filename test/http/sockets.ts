import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Answer } from '../service.ts'

const GIVE_UP_MS = 5_000

export type RawAnswer = Answer & {
  /** Whether the server said or showed that it takes no more on this connection. */
  readonly closes: boolean
}

/** A connection on which any bytes can be sent, and answers are read one after the other. */
export type RawConnection = {
  readonly send: (bytes: string | Buffer) => void
  /** Says that nothing more will be sent. */
  readonly finish: () => void
  readonly answer: () => Promise<RawAnswer>
  /** Everything that arrived and was not read as an answer, once the server has closed. */
  readonly rest: () => Promise<string>
}

export const listen = async (app: FastifyInstance, host = '127.0.0.1'): Promise<number> => {
  await app.listen({ host, port: 0 })
  const address = app.server.address()
  return typeof address === 'object' && address ? address.port : 0
}

type Teardown = { teardown: (callback: () => unknown) => void }

export const openRaw = async (
  t: Teardown,
  port: number,
  host = '127.0.0.1',
): Promise<RawConnection> => {
  const socket = connect({ port, host, allowHalfOpen: true })
  await once(socket, 'connect')
  t.teardown(() => socket.destroy())
  const arrived = collect(socket)
  return {
    send: (bytes) => void socket.write(typeof bytes === 'string' ? Buffer.from(bytes) : bytes),
    finish: () => void socket.end(),
    answer: () => readAnswer(arrived),
    rest: async () => {
      await until('the server closes', arrived, () => arrived.hasEnded || undefined)
      return arrived.bytes.toString()
    },
  }
}

type Arrived = { bytes: Buffer; hasEnded: boolean; changed: () => void }

const collect = (socket: Socket): Arrived => {
  const arrived: Arrived = { bytes: Buffer.alloc(0), hasEnded: false, changed: () => {} }
  socket.on('data', (chunk) => {
    arrived.bytes = Buffer.concat([arrived.bytes, chunk])
    arrived.changed()
  })
  for (const event of ['end', 'close', 'error']) {
    socket.on(event, () => {
      arrived.hasEnded = true
      arrived.changed()
    })
  }
  return arrived
}

const until = async <T>(what: string, arrived: Arrived, look: () => T | undefined): Promise<T> => {
  const giveUp = AbortSignal.timeout(GIVE_UP_MS)
  for (;;) {
    const found = look()
    if (found !== undefined) return found
    if (giveUp.aborted) throw new Error(`waited ${GIVE_UP_MS} ms: ${what}`)
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 100)
      arrived.changed = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

/** Answers of this service carry a Content-Length, but for those without a body. */
const readAnswer = async (arrived: Arrived): Promise<RawAnswer> => {
  const headEnd = await until('an answer begins', arrived, () => {
    const at = arrived.bytes.indexOf('\r\n\r\n')
    if (at === -1 && arrived.hasEnded)
      throw new Error(`closed: ${JSON.stringify(arrived.bytes.toString())}`)
    return at === -1 ? undefined : at
  })
  const [first = '', ...lines] = arrived.bytes.subarray(0, headEnd).toString('latin1').split('\r\n')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const [name = ''] = line.split(':', 1)
    headers[name.toLowerCase()] = line.slice(name.length + 1).trim()
  }
  const end = headEnd + 4 + Number(headers['content-length'] ?? 0)
  await until('the whole answer', arrived, () => arrived.bytes.length >= end || undefined)
  const text = arrived.bytes.subarray(headEnd + 4, end).toString()
  arrived.bytes = arrived.bytes.subarray(end)
  const isJson = /json/.test(headers['content-type'] ?? '') && text !== ''
  return {
    status: Number(first.split(' ')[1]),
    headers,
    text,
    body: isJson ? JSON.parse(text) : undefined,
    closes: headers.connection === 'close',
  }
}
