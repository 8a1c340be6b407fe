import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { listen } from '../http/sockets.ts'
import { openService } from '../service.ts'

const POST = 'POST /v1/sites/default/articles/a/comments HTTP/1.1\r\nHost: a\r\n'
const BODY = 'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n'

/** Beginnings of requests whose rest never comes. */
const BEGINNINGS = {
  'a first line': 'GET /livez HTT',
  'some headers': POST,
  'headers without a body': POST + BODY,
  'half a body': `${POST}${BODY}{"body":"x",`,
  'a form without its body': `${POST.replace('/comments ', '/comments.form ')}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\n`,
  'a chunk that is cut off': `${POST}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"b`,
}

/** What the service says before the connection ends. */
const readAll = async (port: number, bytes: string): Promise<string> => {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.write(bytes)
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(socket, 'close')
  return Buffer.concat(chunks).toString()
}

t.test('a request whose rest does not come is 408, and its connection is closed', async (t) => {
  const { app } = await openService(t)
  const port = await listen(app)
  await Promise.all(
    Object.entries(BEGINNINGS).map(async ([name, bytes]) => {
      const text = await readAll(port, bytes)
      t.match(text, /^HTTP\/1\.1 408 Request Timeout\r\n/, name)
      t.match(text, /"code":"request_timeout"/, name)
      t.match(text, /^connection: close\r$/im, name)
    }),
  )
})

/** Requests that the service answers before it reads their bodies. */
const ANSWERED = {
  200: `GET /livez HTTP/1.1\r\nHost: a\r\n${BODY}`,
  401: `${POST}Authorization: Bearer unknown\r\n${BODY}`,
  405: `${POST.replace('POST', 'PROPFIND')}${BODY}`,
  415: `${POST}${BODY.replace('application/json', 'text/plain')}`,
}

t.test('a request that is answered before its body comes gets no second response', async (t) => {
  const { app } = await openService(t)
  const port = await listen(app)
  await Promise.all(
    Object.entries(ANSWERED).map(async ([status, bytes]) => {
      const text = await readAll(port, bytes)
      t.same(text.match(/HTTP\/1\.1 \d+/g), [`HTTP/1.1 ${status}`])
    }),
  )
})
