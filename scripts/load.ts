import { parseArgs } from 'node:util'
import { Away, type Client, createClient } from './load/client.ts'
import { type Article, readArticles } from './load/file.ts'
import { postArticle } from './load/post-article.ts'
import { verifyArticle } from './load/verify-article.ts'
import { createProgress } from './progress.ts'

/**
 * Posts the comments of a JSONL file to a running service, then reads every thread back and compares.
 * A repeated run, also after a kill, recognises the comments that are already there. The exit code is 1
 * if the service refused a comment or returned a different one.
 */

const USAGE = `npm run load -- FILE [--url http://127.0.0.1:3000] [--site default] [--verify-only]
FILE has one comment per line: article_id, ref, parent_ref, author_name, author_url, body.
AFTERWORD_ADMIN_KEY must be set to a key that may write.`
const ARTICLES_AT_A_TIME = 6

const main = async (): Promise<boolean> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      url: { type: 'string', default: 'http://127.0.0.1:3000' },
      site: { type: 'string', default: 'default' },
      'verify-only': { type: 'boolean', default: false },
    },
  })
  const [file, ...rest] = positionals
  const key = process.env.AFTERWORD_ADMIN_KEY
  if (!file || rest.length > 0 || !key) throw new Error(USAGE)
  const articles = await readArticles(file)
  const client = createClient(values.url, values.site, key)
  const isLoaded = values['verify-only'] || (await load(client, articles))
  return (await verify(client, articles)) && isLoaded
}

/** A refused article does not stop the others. */
const load = async (client: Client, articles: readonly Article[]): Promise<boolean> => {
  const total = countEntries(articles)
  const done = createProgress('Loading', total, process.stdout)
  let posted = 0
  const failures: string[] = []
  await forEachArticle(articles, async (article) => {
    try {
      await postArticle(client, article, (isNew) => {
        if (isNew) posted += 1
        done()
      })
    } catch (error) {
      if (error instanceof Away) throw error
      failures.push((error as Error).message)
    }
  })
  say(`${posted} of ${total} posted; the others were there already`, failures)
  return failures.length === 0
}

const verify = async (client: Client, articles: readonly Article[]): Promise<boolean> => {
  const total = countEntries(articles)
  const done = createProgress('Reading back', total, process.stdout)
  let right = 0
  const differences: string[] = []
  await forEachArticle(articles, async (article) => {
    try {
      const verdict = await verifyArticle(client, article)
      right += verdict.right
      differences.push(...verdict.differences)
    } catch (error) {
      if (error instanceof Away) throw error
      differences.push(`${article.id}: ${(error as Error).message}`)
    }
    for (const _ of article.entries) done()
  })
  say(`${right} of ${total} came back as they are in the file, tree and flat`, differences)
  return right === total && differences.length === 0
}

const countEntries = (articles: readonly Article[]): number =>
  articles.reduce((sum, { entries }) => sum + entries.length, 0)

const forEachArticle = async (
  articles: readonly Article[],
  act: (article: Article) => Promise<void>,
): Promise<void> => {
  const waiting = articles.values()
  const worker = async () => {
    for (const article of waiting) await act(article)
  }
  await Promise.all(Array.from({ length: ARTICLES_AT_A_TIME }, worker))
}

const say = (figure: string, wrong: readonly string[]): void => {
  process.stdout.write(`${figure}\n`)
  for (const line of wrong) process.stderr.write(`${line}\n`)
}

try {
  process.exitCode = (await main()) ? 0 : 1
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exit(1)
}
