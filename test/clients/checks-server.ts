import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Test } from 'tap'
import { openHttps } from './https-server.ts'

export const LOOPBACK = ['127.0.0.0/8', '::1']

/** A request that the check received. */
export type Heard = {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export type Answering = (answer: ServerResponse, heard: Heard) => void

/** A service outside of a test's own; `answering` is how it behaves at each moment. */
export const openCheckServer = async (t: Test, first: Answering) => {
  const state = { answering: first, heard: [] as Heard[] }
  const server = await openHttps(t, (request, answer) => {
    let body = ''
    request.on('error', () => {})
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const heard = { method, path: url, headers, body }
      state.heard.push(heard)
      state.answering(answer, heard)
    })
  })
  return { ...server, state }
}

export const json =
  (value: unknown): Answering =>
  (answer) =>
    void answer.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))

export const text =
  (body: string, headers: Record<string, string> = {}): Answering =>
  (answer) =>
    void answer.writeHead(200, headers).end(body)

/** Takes the question and says nothing, for ever. */
export const hanging: Answering = () => {}

/** Says half a word, and is gone. */
export const dying: Answering = (answer) => {
  answer.writeHead(200, { 'content-length': '100' })
  answer.write('{"score":', () => answer.destroy())
}

/** Responses of a broken check, and the outcome of each. */
export const LIES: Record<string, [Answering, RegExp]> = {
  'a score above one': [json({ score: 1.01 }), /no score from 0 to 1/],
  'a score below zero': [json({ score: -0.1 }), /no score from 0 to 1/],
  'a score that is a text': [json({ score: '0.1' }), /no score from 0 to 1/],
  'a score that is null': [json({ score: null }), /no score from 0 to 1/],
  'a score that is a list': [json({ score: [0.1] }), /no score from 0 to 1/],
  'a score that is not a number': [text('{"score":NaN}'), /not JSON/],
  'a score that is too large for a number': [text('{"score":1e999}'), /no score from 0 to 1/],
  'no score': [json({}), /no score from 0 to 1/],
  'that it is almost pending': [json({ pending: 'true' }), /no score from 0 to 1/],
  'a number': [json(0.1), /is none/],
  null: [json(null), /is none/],
  nothing: [text(''), /not JSON/],
  'a page for people': [
    text('<!doctype html><p>hello', { 'content-type': 'text/html' }),
    /not JSON/,
  ],
  'that it is elsewhere': [
    (answer) => void answer.writeHead(302, { location: '/elsewhere' }).end(),
    /answers 302/,
  ],
  'that it is broken': [(answer) => void answer.writeHead(500).end('{"score":0}'), /answers 500/],
  'far too much': [text(`{"score":0,"more":"${'x'.repeat(16_384)}"}`), /cannot be reached/],
  'half a word': [dying, /cannot be reached/],
}
