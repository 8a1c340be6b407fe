import { once } from 'node:events'
import { Agent, createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { drain } from '../../src/http/edge/draining.ts'

t.test('a draining server answers on open connections and refuses new ones', async (t) => {
  const server = createServer((_request, response) => response.end('answer')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const ask = async (by?: Agent): Promise<IncomingMessage> => {
    const [answer] = await once(get({ host: '127.0.0.1', port, agent: by }), 'response')
    answer.resume()
    await once(answer, 'end')
    return answer
  }
  t.equal((await ask(agent)).headers.connection, 'keep-alive')
  const drained = drain(server)
  await t.rejects(ask(), { code: 'ECONNREFUSED' })
  t.equal((await ask(agent)).headers.connection, 'close', 'the open connection serves once more')
  await t.rejects(ask(agent), { code: 'ECONNREFUSED' })
  await drained
})
