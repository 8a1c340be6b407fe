import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { sql } from 'kysely'
import type { Test } from 'tap'
import { openService, type TestService } from '../service.ts'

export const ROOT = join(import.meta.dirname, '../..')
export type Line = { article_id: string; ref: number; parent_ref: number | null } & Record<
  string,
  unknown
>
export type Run = { code: number | null; out: string; err: string }

/** Chains, fans of replies, twins, names to normalise, outer white space, carriage returns. */
export const makeLines = (articles: number, perArticle: number): Line[] =>
  Array.from({ length: articles * perArticle }, (_, i) => {
    const ref = Math.floor(i / articles) + 1
    const parents = [null, 1, 1, ref - 1, null, 1, 2]
    return {
      article_id: `article ${i % articles}/ä?`,
      ref,
      parent_ref: ref === 1 ? null : (parents[ref % parents.length] ?? null),
      author_name: ref % 5 === 0 ? '  Ａda ' : 'Ada',
      author_url: ref % 3 === 0 ? 'https://ada.example' : null,
      created_at: '2020-01-01T00:00:00Z',
      body: ref % 4 === 0 ? 'Same words.' : `\t${ref}\r\n\r\nwords * and _ more \n`,
    }
  })

export const writeLines = async (t: Test, lines: readonly Line[]): Promise<string> => {
  const path = join(t.testdir({}), 'comments.jsonl')
  await writeFile(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  return path
}

/** A service that listens, and what it takes to run the script against it. */
export const openListening = async (t: Test) => {
  const service = await openService(t)
  const url = await service.app.listen({ host: '127.0.0.1', port: 0 })
  const start = (file: string, ...more: string[]) =>
    spawn(process.execPath, ['scripts/load.ts', file, '--url', url, ...more], {
      cwd: ROOT,
      env: { ...process.env, AFTERWORD_ADMIN_KEY: service.adminKey },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  const load = async (file: string, ...more: string[]): Promise<Run> => {
    const child = start(file, ...more)
    const [[code], out, err] = await Promise.all([
      once(child, 'exit'),
      text(child.stdout),
      text(child.stderr),
    ])
    return { code, out, err }
  }
  return { service, start, load }
}

export const countRows = async ({ db }: TestService): Promise<number> => {
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from comments`.execute(db)
  return rows[0]!.n
}
