import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { openService } from '../service.ts'
import { createDataDir, start } from '../start.ts'

const SCRIPT = join(import.meta.dirname, '../../scripts/key.ts')

type Run = { code: number | null; out: string; err: string }

const key = async (env: Record<string, string>, ...args: string[]): Promise<Run> => {
  const child = spawn(process.execPath, [SCRIPT, ...args], { env: { ...process.env, ...env } })
  const [[code], out, err] = await Promise.all([
    once(child, 'exit'),
    text(child.stdout),
    text(child.stderr),
  ])
  return { code, out, err }
}

t.test('an operator makes a key, replaces it and revokes it', async (t) => {
  const service = await openService(t)
  const env = { DATABASE_URL: service.url }
  const made = await key(env, 'create', '--name', 'desk', '--scope', 'admin')
  t.match(made, { code: 0, out: /^[\w-]{43}\n$/, err: /^k\w+ may admin on all sites/ })
  const token = made.out.trim()
  t.equal((await service.get('', { token })).status, 200)
  const id = made.err.split(' ')[0]!
  const rotated = await key(env, 'rotate', id, '--overlap', '0')
  t.equal((await service.get('', { token })).status, 401, 'the old one has ended')
  const next = rotated.out.trim()
  t.equal((await service.get('', { token: next })).status, 200)
  t.equal((await key(env, 'revoke', rotated.err.split(' ')[0]!)).code, 0)
  t.equal((await service.get('', { token: next })).status, 401)
  const { out } = await key(env, 'list')
  t.match(out, new RegExp(`^${id}\tadmin\t\\*\t`, 'm'))
  t.notMatch(out, token, 'no key is listed as it is sent')
})

t.test('a key for one site is for that site', async (t) => {
  const service = await openService(t)
  const env = { DATABASE_URL: service.url }
  const expires = new Date(Date.now() + 3_600_000).toISOString()
  const args = ['--name', 'x', '--scope', 'read', '--site', 'default', '--expires', expires]
  const made = await key(env, 'create', ...args)
  t.match(made, { code: 0, err: /may read on default/ })
  const { out } = await key(env, 'list', '--site', 'default')
  t.match(out, `\tread\tdefault\t${expires}\tused never\tx`)
})

t.test('what was typed wrong is told in one line, and nothing is done', async (t) => {
  const service = await openService(t)
  const wrong: [RegExp, ...string[]][] = [
    [/^npm run key/, 'destroy'],
    [/^npm run key/, 'revoke'],
    [/^--scope must/, 'create', '--name', 'x', '--scope', 'god'],
    [/^--name must/, 'create', '--scope', 'read'],
    [/^there is no site/, 'create', '--name', 'x', '--scope', 'read', '--site', 'nope'],
    [/^--expires must/, 'create', '--name', 'x', '--scope', 'read', '--expires', '2020-01-01'],
    [/^there is no such key/, 'revoke', 'kzzz'],
    [/^-1 is not|^Unknown option/, 'revoke', '--', '-1'],
  ]
  for (const [words, ...args] of wrong)
    t.match(await key({ DATABASE_URL: service.url }, ...args), { code: 1, out: '', err: words })
})

t.test('it attaches to the Postgres of a service that runs', async (t) => {
  const dataDir = createDataDir(t)
  const service = start(t, { AFTERWORD_DATA: dataDir })
  const url = await service.ready()
  const env = { AFTERWORD_DATA: dataDir, DATABASE_URL: '' }
  const made = await key(env, 'create', '--name', 'x', '--scope', 'admin')
  t.match(made, { code: 0 }, made.err)
  const headers = { authorization: `Bearer ${made.out.trim()}` }
  t.equal((await fetch(`${url}/v1/sites`, { headers })).status, 200, 'the service goes on')
})
