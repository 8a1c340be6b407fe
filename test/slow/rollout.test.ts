import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createEmptyDatabase } from '../servers.ts'
import { start } from '../start.ts'

/** The last released version runs beside this one on one database, as during a deploy. */

const ROOT = join(import.meta.dirname, '../..')
const KEY = 'k'.repeat(40)
const SECRET = 's'.repeat(40)
const SITE = '/v1/sites/default'

type Json = Record<string, any>

const releasedCommit = (): string => {
  const changelog = readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8')
  const commit = /^## \[\d[^\n]*\n\nCommit `([0-9a-f]{40})`/m.exec(changelog)?.[1]
  if (!commit) throw new Error('CHANGELOG.md names no released commit')
  return commit
}

const packagesOf = (lock: string): Record<string, { version?: string }> => JSON.parse(lock).packages

/** The released version in a folder of its own, with the present packages if it needs no other ones. */
const checkOut = (t: Test): string => {
  const commit = releasedCommit()
  const git = (...args: string[]) => execFileSync('git', args, { cwd: ROOT, maxBuffer: 1e9 })
  try {
    git('cat-file', '-e', `${commit}^{commit}`)
  } catch {
    throw new Error(`the released commit ${commit} is not in this clone: run git fetch --unshallow`)
  }
  const folder = mkdtempSync(join(tmpdir(), 'afterword-released-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  execFileSync('tar', ['-x', '-C', folder], { input: git('archive', commit) })
  const read = (from: string) => packagesOf(readFileSync(join(from, 'package-lock.json'), 'utf8'))
  const present = read(ROOT)
  const isThere = Object.entries(read(folder)).every(
    ([name, { version }]) => name === '' || present[name]?.version === version,
  )
  if (isThere) symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  else execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'ignore' })
  return folder
}

type Answer = { status: number; headers: Headers; body: any }
type Node = { name: string; call: (method: string, path: string, more?: Json) => Promise<Answer> }

const openNode = (name: string, address: string): Node => ({
  name,
  call: async (method, path, { token, body }: Json = {}) => {
    const url = path.startsWith('/v1') ? path : `${SITE}${path}`
    const answer = await fetch(`${address}${url}`, {
      method,
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (answer.status >= 500)
      throw new Error(`${name}: ${method} ${path}: ${answer.status} ${text}`)
    return { status: answer.status, headers: answer.headers, body: text ? JSON.parse(text) : null }
  },
})

/** Every kind of write of one node; `of` keeps articles and texts of the nodes apart. */
const writeEverything = async (node: Node, of: string) => {
  const admin = (method: string, path: string, body: object = {}) =>
    node.call(method, path, { token: KEY, body })
  const post = (article: string, text: string, more: Json = {}) =>
    node.call('POST', `/articles/${article}/comments`, {
      token: more.token,
      body: {
        body: `${text} by ${of}`,
        ...(!more.token && { author: { name: 'Ada', email: `${of}@example.org` } }),
        ...(more.parent && { parent_id: more.parent }),
      },
    })
  const { body: root } = await post(of, 'root')
  const { guest_token: token, id, author } = root
  const { body: reply } = await post(of, 'reply', { parent: id })
  const { body: hidden } = await post(of, 'hidden')
  const { body: moved } = await post(of, 'moved')
  await post(`${of}-target`, 'target')
  await post(`${of}-merged`, 'merged')
  const reader = reply.guest_token
  const answers = [
    await node.call('PATCH', `/comments/${id}`, { token, body: { body: `edited by ${of}` } }),
    await node.call('PUT', `/comments/${id}/vote`, { token: reader, body: { value: 1 } }),
    await node.call('POST', `/comments/${id}/flags`, { token: reader, body: { reason: 'spam' } }),
    await admin('POST', `/comments/${hidden.id}/decisions`, {
      from: 'approved',
      to: 'rejected',
      reason: 'abusive',
    }),
    await node.call('POST', `/comments/${hidden.id}/appeals`, {
      token: hidden.guest_token,
      body: { text: 'Please.' },
    }),
    await admin('PUT', `/comments/${id}/pin`, { pinned: true }),
    await admin('PUT', `/comments/${reply.id}/lock`, { locked: true }),
    await admin('POST', `/comments/${moved.id}/moves`, { article_id: `${of}-target` }),
    await admin('POST', `/articles/${of}-merged/merges`, { into: `${of}-target` }),
    await admin('PATCH', `/articles/${of}`, { title: of }),
    await admin('POST', `/articles/${of}/aliases`, { article_id: `${of}-alias` }),
    await admin('POST', '/moderation/bans', {
      kind: 'email',
      value: `eve-${of}@example.org`,
      effect: 'block',
    }),
    await admin('POST', `/authors/${author.id}/notes`, { note: 'noted' }),
    await admin('POST', '/moderation/canned-reasons', { title: of, reason: 'spam', note: 'x' }),
    await admin('POST', '/keys', { name: of, scope: 'read' }),
    await admin('POST', '/moderation/claims', { limit: 1 }),
  ]
  const undo = await admin('POST', `/moderation/decisions/${answers[5]!.body?.decision_id}/undos`)
  return {
    root,
    reply,
    hidden,
    moved,
    token,
    statuses: [...answers, undo].map(({ status }) => status),
  }
}

type Written = Awaited<ReturnType<typeof writeEverything>>

const readsOf = (of: string, { root, reply, moved, token }: Written) => {
  const open = ['/config', '/staff', '/articles', '/comments', `/counts?article_id=${of}`]
  open.push(
    `/articles/${of}`,
    `/articles/${of}/comments`,
    `/articles/${of}/comments?view=flat&sort=top`,
  )
  open.push(
    `/articles/${of}-target/comments`,
    `/articles/${of}-alias/comments`,
    `/articles/${of}-merged`,
  )
  open.push(
    `/comments/${root.id}?context=1`,
    `/comments/${moved.id}`,
    `/comments/${root.id}/replies`,
  )
  open.push(`/comments/${reply.id}`, `/authors/${root.author.id}/comments`)
  const staff = ['/moderation/comments?status=approved&status=rejected', '/moderation/counts']
  staff.push(
    '/moderation/decisions?limit=100',
    '/moderation/bans',
    '/moderation/appeals',
    '/audit?limit=100',
  )
  staff.push(
    '/moderation/authors',
    '/moderation/batches',
    '/moderation/canned-reasons',
    '/moderation/state',
  )
  staff.push('/moderation/stats', '/moderation/policy', '/members', '/keys', '/imports', '')
  staff.push(`/comments/${root.id}/revisions`, `/authors/${root.author.id}/notes`)
  staff.push(`/articles/${of}/aliases`, '/moderation/threads')
  const own = [`/articles/${of}/viewer`, `/comments/${root.id}/statement`]
  return [
    ...open.map((path) => ({ path, token: undefined })),
    ...staff.map((path) => ({ path, token: KEY })),
    ...own.map((path) => ({ path, token })),
  ]
}

const idsOf = (body: any): string[] =>
  (body?.items ?? []).map((item: Json) => item.id ?? item.author?.id ?? '')

t.test('the released version and this one serve one database', { timeout: 600_000 }, async (t) => {
  const folder = checkOut(t)
  const redis = process.env.TEST_REDIS_URL
  const env = {
    DATABASE_URL: await createEmptyDatabase(t),
    AFTERWORD_ADMIN_KEY: KEY,
    AFTERWORD_SECRET: SECRET,
    AFTERWORD_LIMIT_READ: '0',
    AFTERWORD_LIMIT_WRITE: '0',
    ...(redis && { REDIS_URL: redis }),
  }
  const released = start(t, env, [process.execPath, join(folder, 'src/main.ts')])
  const old = openNode('released', await released.ready())
  const before = await writeEverything(old, 'before')
  // Writes go on while this version migrates the database.
  let isOver = false
  let written = 0
  const writing = (async () => {
    for (; !isOver; written++) {
      const author = { name: 'Ada' }
      const body = { body: `during ${written}`, author }
      const { status } = await old.call('POST', '/articles/during/comments', { body })
      if (status !== 201) throw new Error(`posting: ${status}`)
    }
  })()
  const current = start(t, env)
  const now = openNode('this version', await current.ready())
  isOver = true
  await writing
  t.ok(written > 0, `${written} posts during the migration`)
  const nodes = [old, now]
  const all: [string, Written][] = [['before', before]]
  for (const [i, node] of nodes.entries())
    all.push([`at${i}`, await writeEverything(node, `at${i}`)])
  t.same(
    all[1]![1].statuses.filter((status) => status >= 300),
    [],
    'every write succeeds',
  )
  t.same(all[1]![1].statuses, all[2]![1].statuses, 'every write has one result on both')
  for (const [of, one] of all) {
    for (const { path, token } of readsOf(of, one)) {
      const [first, second] = await Promise.all(
        nodes.map((node) => node.call('GET', path, { token })),
      )
      t.same([first!.status, second!.status], [200, 200], path)
      t.same(idsOf(first!.body), idsOf(second!.body), path)
    }
    for (const node of nodes) {
      t.equal((await node.call('GET', `/comments/${one.hidden.id}`)).status, 404, 'hidden on both')
      t.notMatch(
        JSON.stringify((await node.call('GET', `/articles/${of}/comments`)).body),
        `hidden by ${of}`,
      )
    }
  }
  for (const [from, to] of [
    [old, now],
    [now, old],
  ] as const) {
    const page = (await from.call('GET', '/comments?limit=2')).body
    const rest = await to.call('GET', `/comments?limit=2&cursor=${page.next_cursor}`)
    t.match(rest, { status: 200 }, `a cursor of the ${from.name}`)
    const { body } = await from.call('POST', '/articles/tokens/comments', {
      body: { body: `a guest of ${from.name}`, author: { name: 'Ada' } },
    })
    const viewer = await to.call('GET', '/articles/tokens/viewer', { token: body.guest_token })
    t.equal(viewer.body.author.id, body.author.id, `a guest of the ${from.name}`)
    const removed = await to.call('DELETE', `/comments/${body.id}`, { token: body.guest_token })
    t.equal(removed.status, 204)
    t.equal((await from.call('GET', `/comments/${body.id}`)).status, 404, 'no cached page shows it')
  }
  const seen = new Set<string>()
  let cursor = ''
  for (let next: string | null = ''; next !== null; ) {
    const { body }: Answer = await now.call('GET', `/comments?sort=visible&limit=100${cursor}`)
    for (const { id } of body.items) seen.add(id)
    next = body.next_cursor
    cursor = `&cursor=${body.poll_cursor}`
  }
  const { comment_count: posted } = (await now.call('GET', '/articles/during')).body
  t.equal(posted, written)
  for (const id of idsOf((await now.call('GET', '/comments?limit=100')).body))
    t.ok(seen.has(id), 'pollers see what the released version writes')
  t.same(await Promise.all([released.stop(), current.stop()]), [0, 0])
})
