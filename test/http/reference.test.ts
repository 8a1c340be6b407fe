import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { parse } from 'yaml'
import { openService, type TestService } from '../service.ts'

const describe = async ({ call }: TestService) => parse((await call('GET', '/openapi.yaml')).text)

t.test('GET /openapi.yaml returns the committed description', async (t) => {
  const { call } = await openService(t)
  const { status, headers, text } = await call('GET', '/openapi.yaml')
  t.equal(status, 200)
  t.match(headers['content-type'], /^application\/yaml/)
  t.match(text, /operationId: postComment/)
})

t.test('the reference page lets its script load from its own origin alone', async (t) => {
  const { call } = await openService(t)
  const { status, headers, text } = await call('GET', '/docs')
  t.equal(status, 200)
  t.match(headers['content-type'], /^text\/html/)
  t.match(headers['content-security-policy'], /default-src 'none'; script-src 'self';/)
  t.notMatch(headers['content-security-policy'], /https?:/)
  t.notMatch(text, /https?:/, 'no address of another origin')
  t.match((await call('GET', '/docs/')).headers, { location: '/docs' })
})

t.test('the script of the reference page is compressed for clients that accept gzip', async (t) => {
  const { app } = await openService(t)
  const get = (encoding?: string) =>
    app.inject({ url: '/docs/scalar.js', headers: encoding ? { 'accept-encoding': encoding } : {} })
  const plain = await get()
  t.match(plain.headers, { 'content-type': /^text\/javascript/, 'content-encoding': undefined })
  const compressed = await get('gzip, deflate, br')
  t.equal(compressed.headers['content-encoding'], 'gzip')
  t.match(compressed.headers.vary, /Accept-Encoding/)
  t.ok(gunzipSync(compressed.rawPayload).equals(plain.rawPayload), 'the same script')
  t.equal((await get('gzip;q=0')).headers['content-encoding'], undefined)
})

t.test('the commands of the quick start work on a fresh database as printed', async (t) => {
  const service = await openService(t)
  const address = await service.app.listen({ port: 0 })
  const text: string = (await describe(service)).info.description
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block!)
  const commands = blocks.join('').match(/^curl (?:.*\\\n)*.*$/gm)!
  t.equal(commands.length, 6, 'the commands were found')
  t.match(blocks[0], /^SITE=http:\/\/localhost:3000\/v1\/sites\/default$/m)
  let variables = `SITE=${address}/v1/sites/default; KEY=${service.adminKey};`
  const run = async (command: string): Promise<unknown> =>
    JSON.parse((await promisify(execFile)('sh', ['-c', `${variables} ${command}`])).stdout)
  const results: any[] = []
  for (const command of commands) {
    const result: any = await run(command)
    results.push(result)
    // The reader takes the id from the queue, which the command before has printed.
    if (result.items) variables += `ID=${result.items[0].id};`
  }
  const [first, , , held] = results
  t.match(results, [
    { id: /^c/, status: 'approved' },
    { items: [{ id: first.id }] },
    { moderation: 'pre' },
    { id: /^c/, status: 'pending' },
    { items: [{ id: held.id }] },
    { from: 'pending', to: 'spam' },
  ])
})
