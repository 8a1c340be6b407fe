import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { createMemberTokens } from '../../src/clients/member-tokens.ts'

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/sign-on.md'), 'utf8')
const SECRET = 'a-long-random-text-that-only-two-servers-know'
const ISSUER = 'https://example.org'
const SITE = {
  slug: 'blog',
  signOn: { issuer: ISSUER, hs256: [{ kid: '2026-11', secret: SECRET }] },
}

const read = createMemberTokens({
  get: async () => Promise.reject(new Error('nothing is fetched')),
})

/** A recipe as the page prints it, in a file of its own. */
const extract = (t: Test, name: string, file: string): string => {
  const folder = mkdtempSync(join(tmpdir(), 'afterword-recipe-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const [, code] = new RegExp(`^\`\`\`\\w+ recipe=${name}\n(.*?)^\`\`\``, 'ms').exec(PAGE)!
  writeFileSync(join(folder, file), code!)
  return join(folder, file)
}

t.test('the Node recipe returns a token to a user who is logged in', async (t) => {
  const { answerToken } = await import(pathToFileURL(extract(t, 'node', 'token.mjs')).href)
  const findUser = (request: { url?: string }) =>
    request.url === '/ada' && { id: 7, name: 'Ada', picture: 'https://example.org/ada.png' }
  const options = { secret: SECRET, kid: '2026-11', issuer: ISSUER, site: 'blog' }
  const server = createServer(answerToken(findUser, options)).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.teardown(() => server.close())
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const token = await (await fetch(`${base}/ada`)).text()
  t.match(await read(SITE, token), { subject: '7', name: 'Ada', avatarUrl: /ada\.png$/ })
  t.equal((await fetch(`${base}/nobody`)).status, 401)
})

t.test('the serverless recipe returns a token to a user who is logged in', async (t) => {
  const { default: handler } = await import(
    pathToFileURL(extract(t, 'serverless', 'token.mjs')).href
  )
  const env = (user: object | null) => ({
    SITE: 'blog',
    ISSUER,
    KID: '2026-11',
    SECRET,
    findUser: async () => user,
  })
  const request = new Request('https://example.org/token')
  const answer: Response = await handler.fetch(request, env({ id: 'u1', name: 'Ådä 🌍' }))
  t.match(await read(SITE, await answer.text()), { subject: 'u1', name: 'Ådä 🌍' })
  t.equal((await handler.fetch(request, env(null))).status, 401)
})

const skipWithoutPhp = spawnSync('php', ['--version']).error ? 'no php on the PATH' : false

t.test(
  'the PHP recipe returns a token to a user who is logged in',
  { skip: skipWithoutPhp },
  async (t) => {
    const call = `require $argv[1]; echo comments_token(
      ['id' => 7, 'name' => 'Grace Ö'], 'blog', '${ISSUER}', '2026-11', '${SECRET}');`
    const args = ['-r', call, extract(t, 'php', 'recipe.php')]
    const token = execFileSync('php', args, { encoding: 'utf8' })
    t.match(await read(SITE, token), { subject: '7', name: 'Grace Ö', roles: [] })
  },
)
