import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { openService } from '../service.ts'
import { findFreePort } from '../start.ts'
import { ROOT } from './run-load.ts'

const run = async (url: string, env: Record<string, string> = {}) => {
  const { AFTERWORD_ADMIN_KEY: _, ...rest } = process.env
  const child = spawn(process.execPath, ['scripts/demo.ts', '--url', url], {
    cwd: ROOT,
    env: { ...rest, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [[code], out, err] = await Promise.all([
    once(child, 'exit'),
    text(child.stdout),
    text(child.stderr),
  ])
  return { code: code as number, out, err }
}

t.test('npm run demo posts a thread once, also when two runs begin together', async (t) => {
  const { app, get, adminKey } = await openService(t)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const runs = await Promise.all([run(url), run(url)])
  for (const ended of runs) t.match(ended, { code: 0, err: '' })
  const { body } = await get('/articles/demo/comments?sort=oldest')
  t.match(body.thread, { comment_count: 4, root_count: 2, title: /bridge/ })
  t.equal(body.items[0].replies.items[0].replies.items.length, 1, 'the replies are nested')
  const recent = await get('/comments?limit=5&excerpt=80')
  t.match(recent.body.items[0], { article: { url: `${url}/` }, excerpt: /^Two ramps/ })
  // A list is cached for a second, so the later read asks for another one.
  t.equal((await get('/staff?limit=1')).body.items.length, 0)

  const later = await run(url, { AFTERWORD_ADMIN_KEY: adminKey })
  t.match(later, { code: 0, err: '', out: /^0 comments posted/ })
  t.equal((await get('/articles/demo')).body.comment_count, 4)
  const staff = (await get('/staff')).body.items
  t.equal(staff.length, 3, 'an admin key adds contributors and moderators')
  t.match(staff, [{ location: String }, { location: String }, { location: String }])
})

t.test(
  'npm run demo says that a site holds its comments, and goes on once they are approved',
  async (t) => {
    const { app, get, adminKey } = await openService(t)
    const url = await app.listen({ host: '127.0.0.1', port: 0 })
    const headers = { authorization: `Bearer ${adminKey}` }
    const change = (moderation: string) =>
      app.inject({ method: 'PATCH', url: '/v1/sites/default', headers, payload: { moderation } })
    await change('pre')
    t.match(await run(url), { code: 1, err: /holds comments for its moderators/ })
    t.match((await run(url)).err, /holds comments/, 'a held comment is not posted twice')
    const queue = '/v1/sites/default/moderation/comments'
    const { items } = (await app.inject({ url: queue, headers })).json()
    t.equal(items.length, 1)
    await change('post')
    const payload = { from: 'pending', to: 'approved', revision: 1 }
    const decided = `/v1/sites/default/comments/${items[0].id}/decisions`
    await app.inject({ method: 'POST', url: decided, headers, payload })
    t.match(await run(url), { code: 0, err: '' })
    t.equal((await get('/articles/demo/comments')).body.thread.comment_count, 4)
  },
)

t.test('npm run demo says when no service answers', async (t) => {
  const { code, err } = await run(`http://127.0.0.1:${await findFreePort()}`)
  t.equal(code, 1)
  t.match(err, /ECONNREFUSED/)
})
