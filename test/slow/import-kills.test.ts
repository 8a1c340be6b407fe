import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { faultsOf, wxr } from '../imports.ts'
import { openService, type TestService } from '../service.ts'

const ROOT = join(import.meta.dirname, '../..')
const COMMENTS = 12_000
const THREADS = 40
const KILLS = 5

/** An export with replies before their parents, and statuses of every kind. */
const file = (): string => {
  const posts: Record<string, Parameters<typeof wxr>[0][string]> = {}
  for (let thread = 0; thread < THREADS; thread++)
    posts[`https://blog.example/${thread}`] = Array.from(
      { length: COMMENTS / THREADS },
      (_, at) => {
        const id = thread * 1_000 + at + 1
        const parent = at % 4 === 0 ? 0 : id + (at % 2 === 0 ? -1 : 1)
        return {
          id,
          parent: at === COMMENTS / THREADS - 1 ? 0 : parent,
          approved: ['1', '0', 'spam'][at % 7] ?? '1',
          author: `Reader ${at % 60}`,
        }
      },
    )
  return wxr(posts)
}

const runImport = (service: TestService, path: string) => {
  const child = spawn(process.execPath, ['scripts/import.ts', path, '--site', 'default'], {
    cwd: ROOT,
    env: { ...process.env, DATABASE_URL: service.url },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (text) => {
    said += text
  })
  return {
    child,
    said: () => said,
    ended: once(child, 'exit').then(([code]) => code as number | null),
  }
}

/** The export of the site with each id replaced by its order, since killed runs use up numbers. */
const exportOf = async (service: TestService): Promise<string> => {
  const { text } = await service.call('GET', '/v1/sites/default/export', {
    token: service.adminKey,
  })
  const ids = new Map<string, string>()
  return text.replace(/"[a-z][\w-]{22}"/g, (id) => {
    if (!ids.has(id)) ids.set(id, `"${ids.size}"`)
    return ids.get(id)!
  })
}

t.test('an import that is killed five times ends like one that is not', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'afterword-import-test-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'export.xml')
  writeFileSync(path, file())
  const calm = await openService(t)
  t.equal(await runImport(calm, path).ended, 0)
  const killed = await openService(t)
  let stored = 0
  for (let kill = 0; kill < KILLS; kill++) {
    const { child, said, ended } = runImport(killed, path)
    while (!said().includes('Storing') && child.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 5))
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 400))
    child.kill('SIGKILL')
    await ended
    const { count } = await killed.db
      .selectFrom('comments')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow()
    t.ok(count >= stored, `${count} comments after kill ${kill + 1}`)
    stored = Number(count)
    t.same(await faultsOf(killed), [], 'every count is right between the runs')
  }
  const last = runImport(killed, path)
  t.equal(await last.ended, 0, last.said())
  t.equal(await exportOf(killed), await exportOf(calm))
  t.same(await faultsOf(killed), [])
})
