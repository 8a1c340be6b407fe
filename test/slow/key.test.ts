import t from 'tap'
import { key } from '../scripts/run-key.ts'
import { openService } from '../service.ts'
import { createDataDir, start } from '../start.ts'

t.test('npm run key creates a key for one site', async (t) => {
  const service = await openService(t)
  const env = { DATABASE_URL: service.url }
  const expires = new Date(Date.now() + 3_600_000).toISOString()
  const args = ['--name', 'x', '--scope', 'read', '--site', 'default', '--expires', expires]
  const made = await key(env, 'create', ...args)
  t.match(made, { code: 0, err: /may read on default/ })
  const { out } = await key(env, 'list', '--site', 'default')
  t.match(out, `\tread\tdefault\t${expires}\tused never\tx`)
})

t.test('npm run key reports wrong arguments in one line and changes nothing', async (t) => {
  const service = await openService(t)
  const wrong: [RegExp, ...string[]][] = [
    [/^npm run key/, 'destroy'],
    [/^npm run key/, 'revoke'],
    [/^--scope must/, 'create', '--name', 'x', '--scope', 'god'],
    [/^--name must/, 'create', '--scope', 'read'],
    [/^there is no site/, 'create', '--name', 'x', '--scope', 'read', '--site', 'nope'],
    [/^--expires must/, 'create', '--name', 'x', '--scope', 'read', '--expires', '2020-01-01'],
    [/^kzzz is not the id of a key/, 'revoke', 'kzzz'],
    [/^-1 is not|^Unknown option/, 'revoke', '--', '-1'],
  ]
  for (const [words, ...args] of wrong)
    t.match(await key({ DATABASE_URL: service.url }, ...args), { code: 1, out: '', err: words })
})

t.test('npm run key attaches to the Postgres of a running service', async (t) => {
  const dataDir = createDataDir(t)
  const service = start(t, { AFTERWORD_DATA: dataDir })
  const url = await service.ready()
  const env = { AFTERWORD_DATA: dataDir, DATABASE_URL: '' }
  const made = await key(env, 'create', '--name', 'x', '--scope', 'admin')
  t.match(made, { code: 0 }, made.err)
  const headers = { authorization: `Bearer ${made.out.trim()}` }
  t.equal((await fetch(`${url}/v1/sites`, { headers })).status, 200, 'the service goes on')
})
