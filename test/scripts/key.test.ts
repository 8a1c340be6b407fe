import { execFileSync } from 'node:child_process'
import t from 'tap'
import { createEnvFolder } from '../env-folder.ts'
import { openService } from '../service.ts'
import { key } from './run-key.ts'

t.test('npm run key creates, replaces and revokes a key', async (t) => {
  const service = await openService(t)
  const env = { DATABASE_URL: service.url }
  const made = await key(env, 'create', '--name', 'desk', '--scope', 'admin')
  t.match(made, { code: 0, out: /^[\w-]{43}\n$/, err: /^k[\w-]{22} may admin on all sites/ })
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

t.test('npm run key goes to the database that .env names', async (t) => {
  const { url, db } = await openService(t)
  const folder = createEnvFolder(t, { DATABASE_URL: url })
  const { DATABASE_URL: _, ...env } = process.env
  const args = [
    '--prefix',
    folder,
    'run',
    '-s',
    'key',
    '--',
    'create',
    '--name',
    'desk',
    '--scope',
    'read',
  ]
  const out = execFileSync('npm', args, { env, encoding: 'utf8' })
  t.match(out, /^[\w-]{43}\n$/)
  t.match(await db.selectFrom('apiKeys').select('name').execute(), [{}, { name: 'desk' }])
})
