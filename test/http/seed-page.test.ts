import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { importFile, wxr } from '../imports.ts'
import { openService, suggest, type TestService } from '../service.ts'

const FILE = join(import.meta.dirname, '../fixtures/article-page.txt')

/** A comment of the page. It shows no names there: they are made here. */
type Shown = { depth: number; body: string; name: string; replies: Shown[] }
type Recent = { name: string; text: string }
type Page = { countLine: string; count: number; title: string; roots: Shown[]; recent: Recent[] }

const COUNT_LINE = /^(\d+) Comments on “(.+)”$/m
const ARTICLE = 'the-article'

const readPage = (): Page => {
  const text = readFileSync(FILE, 'utf8')
  const [countLine, count, title] = COUNT_LINE.exec(text)!
  return {
    countLine,
    count: Number(count),
    title: title!,
    roots: nest(bullets(below(text, countLine))),
    recent: bullets(below(text, 'Recent Comments\n')).map(({ body }) => readRecent(body)),
  }
}

/** The indented lines below a heading. */
const below = (text: string, heading: string): string =>
  text.slice(text.indexOf(heading) + heading.length).split(/^\S/m)[0]!

/** `  • ` starts an item; two more spaces are one level deeper. Blank lines part paragraphs. */
const bullets = (text: string): Shown[] =>
  text.split(/^(?= *• )/m).flatMap((item, i) => {
    const match = /^( *)• (.*)$/s.exec(item)
    if (!match) return []
    const [, indent, content] = match
    const body = content!
      .replace(/^ +/gm, '')
      .replace(/^(0 )?avatar\n+/, '')
      .trim()
    return [{ depth: indent!.length / 2 - 1, body, name: `Reader ${i}`, replies: [] }]
  })

const nest = (items: readonly Shown[]): Shown[] => {
  const path: Shown[] = []
  return items.filter((item) => {
    path.length = item.depth
    path.at(-1)?.replies.push(item)
    path.push(item)
    return item.depth === 0
  })
}

const readRecent = (line: string): Recent => {
  const [, name, text] = /^(.+?): (.+)$/s.exec(line)!
  return { name: name!, text: text! }
}

const postAll = async (
  service: TestService,
  comments: readonly Shown[],
  parent: { parent_id?: string },
  title: string,
): Promise<void> => {
  const [{ article }, page] = suggest(title)
  for (const { body, name, replies } of comments) {
    const comment = { ...parent, author: { name }, article }
    const { id } = await service.post(ARTICLE, body, comment, page)
    await postAll(service, replies, { parent_id: id }, title)
  }
}

type Branch = {
  body: string
  depth: number
  author: { name: string }
  replies: { items: Branch[] }
}

const show = ({ body, depth, author, replies }: Branch): Shown => ({
  depth,
  body,
  name: author.name,
  replies: replies.items.map(show),
})

const openPage = async (t: Parameters<typeof openService>[0]) => {
  const page = readPage()
  const service = await openService(t)
  await postAll(service, page.roots, {}, page.title)
  return { page, service }
}

t.test(
  'the fixture has four comments on three levels, and five recent ones of which three are cut',
  async (t) => {
    const { count, roots, recent, title } = readPage()
    const depths = (shown: readonly Shown[]): number[] =>
      shown.flatMap(({ depth, replies }) => [depth, ...depths(replies)])
    t.equal(count, 4)
    t.strictSame(depths(roots), [0, 1, 2, 0])
    t.ok(title.endsWith('...'))
    t.strictSame(
      recent.map(({ text }) => text.endsWith('...')),
      [true, true, false, true, false],
    )
    for (const { text } of recent) t.notMatch(text, /\n|avatar/)
  },
)

t.test('a thread gives the count and title for the line over its comments', async (t) => {
  const { page, service } = await openPage(t)
  const { body } = await service.get(`/articles/${ARTICLE}`)
  t.equal(`${body.comment_count} Comments on “${body.title}”`, page.countLine)
  t.equal(body.root_count, 2)
  const counts = await service.get(`/counts?article_id=${ARTICLE}`)
  t.equal(counts.body[ARTICLE].comment_count, page.count)
})

t.test('a thread gives the comments of an article page in their nesting', async (t) => {
  const { page, service } = await openPage(t)
  const { body } = await service.get(`/articles/${ARTICLE}/comments?sort=oldest`)
  t.strictSame(body.items.map(show), page.roots)
  t.equal(body.next_cursor, null)
  const replies = body.items[0].replies.items
  t.equal(replies[0].score, 0, 'the number beside a reply')
  t.equal(replies[0].body_html.match(/<p>/g).length, replies[0].body.split('\n\n').length)
})

t.test('the list of recent comments of a site gives excerpts cut at a word', async (t) => {
  const { page, service } = await openPage(t)
  const shownTexts = page.recent.map(({ text }) => text.replace(/\.\.\.$/, ''))
  const length = Math.max(...shownTexts.map((text) => Array.from(text).length))
  // The page shows the beginnings of longer comments: what follows there is made here.
  const more = ` ${'x'.repeat(length)} and so on`
  for (const [i, { name, text }] of [...page.recent.entries()].reverse()) {
    const body = text === shownTexts[i] ? text : shownTexts[i] + more
    await service.post(`another-article-${i}`, body, { author: { name } })
  }
  const { body } = await service.get(`/comments?limit=${page.recent.length}&excerpt=${length}`)
  t.strictSame(
    body.items.map((item: any) => ({
      name: item.author.name,
      text: item.excerpt.replace(/…$/, '...'),
    })),
    page.recent,
  )
  t.strictSame(
    body.items.map((item: any) => item.article.id),
    page.recent.map((_, i) => `another-article-${i}`),
  )
})

/** `Contributors` and `Moderators`, each with lines of name and place. */
const readStaff = (): { Contributors: string[]; Moderators: string[] } => {
  const text = readFileSync(FILE, 'utf8')
  const lines = text
    .slice(text.indexOf('• Contributors'))
    .split('\n')
    .flatMap((line) => /^ *• (.+)$/.exec(line)?.[1] ?? [])
  const at = lines.indexOf('Moderators')
  return { Contributors: lines.slice(1, at), Moderators: lines.slice(at + 1) }
}

type OnStaff = { name: string; location: string; roles: string[] }

t.test('the staff list gives contributors and moderators, one of them both', async (t) => {
  const service = await openService(t)
  const staff = readStaff()
  const lines = [...new Set(Object.values(staff).flat())]
  t.equal(lines.length, 7)
  for (const [i, line] of lines.entries()) {
    const [name, location] = line.split(', ')
    const roles = [
      ...(staff.Contributors.includes(line) ? ['contributor'] : []),
      ...(staff.Moderators.includes(line) ? ['moderator'] : []),
    ]
    const body = { name, location, roles, listed: true }
    await service.call('PATCH', `/v1/sites/default/members/u${i}`, {
      token: service.adminKey,
      body,
    })
  }
  const { items } = (await service.get('/staff')).body as { items: OnStaff[] }
  const of = (role: string) =>
    items
      .filter(({ roles }) => roles.includes(role))
      .map(({ name, location }) => `${name}, ${location}`)
  t.same(of('contributor').toSorted(), staff.Contributors.toSorted())
  t.same(of('moderator').toSorted(), staff.Moderators.toSorted())
  t.ok(items.some(({ roles }) => roles.length === 2))
})

t.test('the config and the viewer of a members-only site ask readers to log in', async (t) => {
  const sentence = 'You must be logged in to post a comment.'
  t.ok(readFileSync(FILE, 'utf8').includes(sentence))
  const service = await openService(t)
  const body = { who_may_post: 'members', login_url: 'https://example.org/login' }
  await service.changeSite(body)
  t.match((await service.get('/config')).body, body)
  const viewer = (await service.get(`/articles/${ARTICLE}/viewer`)).body
  t.match(viewer, { may_post: false, reason: 'login_required' })
})

t.test('the page imports from an export of WordPress with its own dates', async (t) => {
  const page = readPage()
  const service = await openService(t)
  const dates = [
    '2012-03-03 10:00:00',
    '2012-03-03 11:30:00',
    '2012-03-04 08:00:00',
    '2012-03-05 09:00:00',
  ]
  let id = 0
  const exported = (shown: readonly Shown[], parent: number): Parameters<typeof wxr>[0][string] =>
    shown.flatMap(({ body, name, replies }) => {
      const own = ++id
      const text = body.replaceAll('&', '&amp;')
      const comment = { id: own, parent, text, author: name, date: dates[own - 1]! }
      return [comment, ...exported(replies, own)]
    })
  const address = 'https://harbour.example/ferry-line'
  const recent = page.recent.map(({ name, text }, at) => ({
    id: 10 + at,
    author: name,
    text,
    date: `2012-04-0${5 - at} 12:00:00`,
  }))
  const { report } = await importFile(
    service,
    wxr({ [address]: exported(page.roots, 0), 'https://harbour.example/other': recent }),
  )
  t.match(report.comments, { total: 9, created: 9 })
  const { body } = await service.get(
    `/articles/${encodeURIComponent(address)}/comments?sort=oldest`,
  )
  t.strictSame(body.items.map(show), page.roots)
  t.equal(body.items[0].created_at, '2012-03-03T10:00:00.000Z')
  const latest = (await service.get(`/comments?limit=${page.recent.length}`)).body
  t.strictSame(
    latest.items.map((item: any) => ({ name: item.author.name, text: item.body })),
    page.recent,
  )
})
