import fc from 'fast-check'
import t from 'tap'
import { faultsOf, importFile, readThread, wxr } from '../../imports.ts'
import { runs } from '../../lengths.ts'
import { openService, type TestService } from '../../service.ts'

const ARTICLE = 'https://blog.example/any'
const STATUSES = ['1', '1', '1', '0', 'spam', 'trash']

type Drawn = { parent: number; approved: string; second: number }

/** Comments of one article in any order and of any status; some have no parent, some each other. */
const drawn = fc.array(
  fc.record({
    parent: fc.nat(25),
    approved: fc.constantFrom(...STATUSES),
    second: fc.nat(59),
  }),
  { minLength: 1, maxLength: 20 },
)

const exportOf = (comments: readonly Drawn[], article: string): string =>
  wxr({
    [article]: comments.map(({ parent, approved, second }, at) => ({
      id: at + 1,
      parent,
      approved,
      date: `2012-01-02 03:04:${String(second).padStart(2, '0')}`,
    })),
  })

/** The thread as readers see it, without ids. */
const seen = async (service: TestService, article: string) =>
  (await readThread(service, article)).map(({ body, depth, created_at, reply_count }) => [
    body,
    depth,
    created_at,
    reply_count,
  ])

t.test('an older export and then a newer one give what the newer one gives alone', async (t) => {
  const service = await openService(t)
  let number = 0
  await fc.assert(
    fc.asyncProperty(drawn, fc.nat(20), async (comments, older) => {
      const [once, twice] = [`${ARTICLE}/${++number}/once`, `${ARTICLE}/${number}/twice`]
      await importFile(service, exportOf(comments, once), { origin: once })
      await importFile(service, exportOf(comments.slice(0, older + 1), twice), { origin: twice })
      const dry = await importFile(service, exportOf(comments, twice), {
        origin: twice,
        dry_run: 'true',
      })
      const real = await importFile(service, exportOf(comments, twice), { origin: twice })
      const again = await importFile(service, exportOf(comments, twice), { origin: twice })
      if (JSON.stringify(real.report) !== JSON.stringify(dry.report)) return false
      if (again.report.comments.unchanged !== comments.length) return false
      const hasLateParent = comments.slice(0, older + 1).some(({ parent }) => parent > older + 1)
      const isSame =
        JSON.stringify(await seen(service, once)) === JSON.stringify(await seen(service, twice))
      // A comment whose parent was missing stays a root comment.
      return (isSame || hasLateParent) && (await faultsOf(service)).length === 0
    }),
    { numRuns: runs(1, 6) },
  )
  t.pass('for any comments')
})

t.test('an import beside posts, votes and decisions leaves every count right', async (t) => {
  const service = await openService(t)
  const number = runs(600, 2_500)
  const comments = Array.from({ length: number }, (_, at) => ({
    id: at + 1,
    parent: at % 3 === 0 ? 0 : at,
  }))
  const importing = importFile(service, wxr({ [ARTICLE]: comments }))
  for (let at = 0; at < 20; at++) {
    const own = await service.post(ARTICLE, `Posted meanwhile ${at}`)
    if (at % 2 === 0) await service.decide(own.id, 'approved', 'rejected')
  }
  const { report, state } = await importing
  t.equal(state, 'done')
  t.equal(report.comments.created, number)
  t.same(await faultsOf(service), [])
})

t.test('two origins may have the same ids', async (t) => {
  const service = await openService(t)
  await importFile(service, wxr({ 'https://one.example/a': [{ id: 1 }] }, 'https://one.example'))
  const { report } = await importFile(
    service,
    wxr({ 'https://two.example/a': [{ id: 1 }] }, 'https://two.example'),
  )
  t.equal(report.comments.created, 1)
})
