import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import { runs } from '../lengths.ts'
import { type Answer, openService, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'

type Json = Record<string, any>

const said = ({ status, body }: Answer): string => `${status} ${body.code ?? ''}`.trim()

const openHeld = async (t: Parameters<typeof openService>[0]) => {
  const service = await openService(t)
  const { adminKey: token } = service
  await service.call('PATCH', SITE, { token, body: { moderation: 'pre' } })
  const act = (path: string, body: Json, headers?: Record<string, string>) =>
    service.call('POST', `${SITE}${path}`, { token, body, ...(headers && { headers }) })
  return { service, act, decideMany: (body: Json) => act('/moderation/decisions', body) }
}

const edit = (service: TestService, { id, guest_token: token }: Json, body: string) =>
  service.call('PATCH', `${SITE}/comments/${id}`, { token, body: { body } })

const queue = async (service: TestService): Promise<Json> =>
  (await service.get('/moderation/comments', { token: service.adminKey })).body

const page = async (service: TestService, article = 'a'): Promise<string> =>
  (await service.get(`/articles/${article}/comments`)).text

t.test('a decision that publishes names the revision that its moderator saw', async (t) => {
  const { service, act } = await openHeld(t)
  const held = await service.post('a', 'seen')
  const path = `/comments/${held.id}/decisions`
  const order = { from: 'pending', to: 'approved' }
  const missing = await act(path, order)
  t.match(missing, { status: 400, body: { errors: [{ pointer: '/revision' }] } })
  t.equal((await edit(service, held, 'never seen')).status, 202)
  const stale = await act(path, { ...order, revision: 1 })
  t.match(stale, {
    status: 409,
    body: { code: 'decision_conflict', errors: [{ pointer: '/revision' }] },
  })
  t.equal(said(await act(path, order, { 'if-match': '"1"' })), '409 decision_conflict')
  t.notMatch(await page(service), 'never seen')
  t.equal(said(await act(path, order, { 'if-match': '"2"' })), '201')
  t.match(await page(service), 'never seen')
})

t.test('a decision that hides needs no revision, and honours one', async (t) => {
  const { service, act } = await openHeld(t)
  const held = await service.post('a', 'x')
  await edit(service, held, 'y')
  const order = { from: 'pending', to: 'spam' }
  t.equal(
    said(await act(`/comments/${held.id}/decisions`, { ...order, revision: 1 })),
    '409 decision_conflict',
  )
  t.equal(said(await act(`/comments/${held.id}/decisions`, order)), '201')
})

t.test('listed comments are published only with the revision that was seen', async (t) => {
  const { service, decideMany } = await openHeld(t)
  const [kept, edited] = [await service.post('a', 'kept'), await service.post('a', 'first')]
  await edit(service, edited, 'never seen')
  const seen = [kept, edited].map(({ id }) => ({ id, from: 'pending', revision: 1 }))
  const bare = await decideMany({ comments: [{ id: kept.id, from: 'pending' }], to: 'approved' })
  t.match(bare, { status: 400, body: { errors: [{ pointer: '/comments/0/revision' }] } })
  const { body } = await decideMany({ comments: seen, to: 'approved' })
  t.match(body.items, [{ outcome: 'changed' }, { outcome: 'changed_since' }])
  t.notMatch(await page(service), 'never seen')
})

t.test('a filter decides on nothing that came or changed after its snapshot', async (t) => {
  const { service, act, decideMany } = await openHeld(t)
  const posts = []
  for (const body of ['kept', 'edited', 'gone', 'back']) posts.push(await service.post('a', body))
  const [, edited, gone, back] = posts
  await act(`/comments/${back!.id}/decisions`, { from: 'pending', to: 'spam' })
  const { as_of } = await queue(service)
  await edit(service, edited!, 'never seen')
  await service.post('a', 'never seen either')
  await act(`/comments/${gone!.id}/decisions`, { from: 'pending', to: 'spam' })
  await act(`/comments/${back!.id}/decisions`, { from: 'spam', to: 'pending' })
  const order = { filter: { status: ['pending'] }, to: 'approved' }
  t.match(await decideMany({ ...order, expected_count: 4 }), {
    status: 400,
    body: { errors: [{ pointer: '/as_of' }] },
  })
  t.equal(said(await decideMany({ ...order, as_of: 'x' })), '400 invalid_cursor')
  const dry = await decideMany({ ...order, as_of, dry_run: true })
  t.match(dry.body.outcomes, { changed: 1, changed_since: 3 })
  const { body } = await decideMany({ ...order, as_of })
  t.match(body.outcomes, { changed: 1, changed_since: 3 })
  const shown = await page(service)
  t.match(shown, '"kept"')
  t.notMatch(shown, /never seen|gone|back/)
  const next = await decideMany({ ...order, as_of: dry.body.as_of })
  t.match(next.body.outcomes, { changed: 3 }, 'the dry run showed the others')
})

t.test('a reply goes along into the public only if its text was public before', async (t) => {
  const { service, act } = await openHeld(t)
  const root = await service.post('a', 'root')
  await service.decide(root.id, 'pending', 'approved')
  const reply = await service.post('a', 'unread', { parent_id: root.id })
  await act(`/comments/${root.id}/decisions`, { from: 'approved', to: 'pending' })
  const order = { from: 'pending', to: 'approved', revision: 1, replies: 'same' }
  t.equal(said(await act(`/comments/${root.id}/decisions`, order)), '201')
  t.notMatch(await page(service), 'unread')
  await service.decide(reply.id, 'pending', 'approved')
  await act(`/comments/${root.id}/decisions`, { from: 'approved', to: 'deleted', replies: 'same' })
  const back = { ...order, from: 'deleted' }
  t.equal(said(await act(`/comments/${root.id}/decisions`, back)), '201')
  t.match(await page(service), 'unread', 'it was public before it went along')
})

t.test('an answer that overturns names the revision that its moderator saw', async (t) => {
  const { service, act } = await openHeld(t)
  const held = await service.post('a', 'seen')
  const own = { token: held.guest_token }
  await act(`/comments/${held.id}/decisions`, { from: 'pending', to: 'approved', revision: 1 })
  await act(`/comments/${held.id}/decisions`, { from: 'approved', to: 'pending' })
  const path = `${SITE}/comments/${held.id}/appeals`
  const appeal = await service.call('POST', path, { ...own, body: { text: 'Please look again.' } })
  await edit(service, held, 'never seen')
  const answering = { token: await service.makeKey('moderate') }
  const overturn = (body: Json) =>
    service.call('POST', `${SITE}/moderation/appeals/${appeal.body.id}/answers`, {
      ...answering,
      body: { outcome: 'overturned', ...body },
    })
  t.match(await overturn({}), { status: 400, body: { errors: [{ pointer: '/revision' }] } })
  t.equal(said(await overturn({ revision: 1 })), '409 decision_conflict')
  t.notMatch(await page(service), 'never seen')
  t.equal(said(await overturn({ revision: 2 })), '201')
})

t.test('edits beside bulk approvals publish no text that the queue did not show', async (t) => {
  const { service, decideMany } = await openHeld(t)
  const held: Json[] = []
  for (let n = 0; n < 20; n++) held.push(await service.post('a', `text ${n} revision 1`))
  const seen = new Set<string>()
  const approve = async (): Promise<void> => {
    for (let round = 0; round < 8; round++) {
      const { items, as_of } = await queue(service)
      for (const { body } of items) seen.add(body)
      await sleep(2)
      await decideMany({ filter: { status: ['pending'] }, as_of, to: 'approved' })
    }
  }
  const editAll = async (): Promise<void> => {
    for (let revision = 2; revision < 5; revision++)
      await Promise.all(held.map((one, n) => edit(service, one, `text ${n} revision ${revision}`)))
  }
  await Promise.all([approve(), editAll()])
  const { body } = await service.get('/articles/a/comments?view=flat&limit=100')
  const unseen = body.items.map((one: Json) => one.body).filter((text: string) => !seen.has(text))
  t.same(unseen, [])
  await approve()
  t.equal((await service.get('/articles/a')).body.comment_count, 20, 'all were approved in the end')
})

const STEPS = ['post', 'look', 'approve all', 'approve the filter', 'undo'] as const
const step = fc.oneof(
  fc.constantFrom(...STEPS).map((act) => ({ act, which: 0 })),
  fc.record({ act: fc.constantFrom('edit', 'approve', 'reject'), which: fc.nat({ max: 3 }) }),
)

t.test(
  'readers see only texts that the moderator saw, in any order of writes and decisions',
  async (t) => {
    const { service, act, decideMany } = await openHeld(t)
    let [article, texts] = [0, 0]
    const run = async (steps: readonly { act: string; which: number }[]): Promise<boolean> => {
      const key = `article-${article++}`
      const filter = { status: ['pending'], article_id: key }
      const posted: Json[] = []
      const shown = new Set<string>()
      let queued: Json = { items: [] }
      const decisions: string[] = []
      const decide = async (which: number, order: Json): Promise<void> => {
        const item = queued.items.find(({ id }: Json) => id === posted[which]?.id)
        if (!item) return
        const request = { from: item.status, revision: item.revision, ...order }
        const { status, body } = await act(`/comments/${item.id}/decisions`, request)
        if (status === 201) decisions.push(body.id)
      }
      const perform: Record<string, (which: number) => Promise<unknown>> = {
        post: async () => posted.push(await service.post(key, `text ${texts++}`)),
        edit: async (which) => posted[which] && edit(service, posted[which], `text ${texts++}`),
        look: async () => {
          const query = ['pending', 'approved', 'rejected']
            .map((status) => `status=${status}`)
            .join('&')
          const path = `/moderation/comments?${query}&article_id=${key}`
          queued = (await service.get(path, { token: service.adminKey })).body
          for (const { body_html } of queued.items) shown.add(body_html)
        },
        approve: (which) => decide(which, { to: 'approved' }),
        reject: (which) => decide(which, { to: 'rejected' }),
        'approve all': () => {
          const comments = queued.items.map(({ id, status, revision }: Json) => ({
            id,
            from: status,
            revision,
          }))
          return comments.length === 0
            ? Promise.resolve()
            : decideMany({ comments, to: 'approved' })
        },
        'approve the filter': async () =>
          queued.as_of && decideMany({ filter, to: 'approved', as_of: queued.as_of }),
        undo: async () => {
          const decision = decisions.pop()
          return decision && act(`/moderation/decisions/${decision}/undos`, {})
        },
      }
      const opening = ['post', 'post', 'look'].map((name) => ({ act: name, which: 0 }))
      for (const { act: name, which } of [...opening, ...steps]) {
        await perform[name]!(which)
        const { items = [] } = (await service.get(`/articles/${key}/comments`)).body
        const unseen = items.filter(
          ({ body_html }: Json) => body_html !== null && !shown.has(body_html),
        )
        if (unseen.length > 0) return false
        for (const { body_html } of items) published.add(body_html)
      }
      return true
    }
    const published = new Set<string>()
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), run), {
      numRuns: runs(15, 100),
    })
    t.ok(published.size > 10, 'many texts were published')
  },
)
