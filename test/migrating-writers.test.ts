import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { migrate } from '../src/postgres/connection/migrate.ts'
import { runs } from './lengths.ts'
import { startNode } from './own-service.ts'
import { createDatabase } from './servers.ts'
import { until } from './start.ts'

const FOLDER = join(import.meta.dirname, '../migrations')

/** Statements of the kinds that released migrations have, on the tables of a post in the opposite order. */
const statements = (n: number): string => `
  alter table comments add column planted_${n} int, add constraint planted_${n} check (planted_${n} > 0);
  create trigger planted_${n} before update of body on comments
    for each row execute function suppress_redundant_updates_trigger();
  alter table comment_tallies set (fillfactor = ${90 + (n % 10)});
  alter table authors add column planted_${n} int;
  create index planted_authors_${n} on authors (site_id, planted_${n}) where planted_${n} is not null;
  alter table threads add column planted_${n} int;
  alter table sites add column planted_${n} int`

t.test(
  'migrations of many tables are applied under eight writers, who notice nothing',
  async (t) => {
    const { url } = await createDatabase(t)
    const { post, reject, readAll, lines } = await startNode(t, url)
    const folder = mkdtempSync(join(tmpdir(), 'afterword-migrations-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    cpSync(FOLDER, folder, { recursive: true })
    const stop = new AbortController()
    const statuses = new Map<string, number>()
    const written: string[] = []
    const count = (what: string) => statuses.set(what, (statuses.get(what) ?? 0) + 1)
    const write = async (writer: number) => {
      for (let n = 0; !stop.signal.aborted; n++) {
        const text = `${writer} ${n}`
        const { status, body } = await post(`article-${(writer + n) % 5}`, text)
        count(`post ${status}`)
        if (n % 4 === 3) count(`decision ${(await reject(body.id)).status}`)
        else written.push(text)
      }
    }
    const writers = Array.from({ length: 8 }, (_, n) => write(n))
    await until('for the first posts', () => written.length > 20)
    for (let n = 1; n <= runs(2, 15); n++) {
      const name = `9${String(n).padStart(3, '0')}_planted.sql`
      writeFileSync(join(folder, name), statements(n))
      const before = written.length
      t.same(await migrate({ url, folder }), [name])
      await until('for the next posts', () => written.length > before)
    }
    stop.abort()
    await Promise.all(writers)
    t.same([...statuses.keys()].sort(), ['decision 201', 'post 201'], 'every write succeeds')
    const read = await Promise.all([0, 1, 2, 3, 4].map((n) => readAll(`article-${n}`)))
    t.same(read.flat().sort(), written.sort(), 'every comment is stored once')
    t.same(
      lines.filter(({ level }) => level >= 40),
      [],
      'the log has no warning',
    )
  },
)
