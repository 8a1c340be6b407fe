import t from 'tap'
import { goBy } from '../policies.ts'
import { type Call, openService, type TestService } from '../service.ts'
import { until } from '../start.ts'

const SITE = '/v1/sites/default'
const OWN = 'https://blog.example'

const openBlog = async (t: Parameters<typeof openService>[0], origins = [OWN]) => {
  const service = await openService(t)
  await service.call('PATCH', SITE, { token: service.adminKey, body: { origins } })
  return service
}

const name = (title: string, url: string | null) => ({ article: { title, url } })

const titleOf = async (service: TestService): Promise<string | null> =>
  (await service.get('/articles/a')).body.title

const rename = (service: TestService, body: object) =>
  service.call('PATCH', `${SITE}/articles/a`, { token: service.adminKey, body })

/** The name of the article as moderators see it beside its newest comment. */
const seenByModerators = async (service: TestService) => {
  const queue = '/moderation/comments?status=approved&status=pending'
  const { body } = await service.get(queue, { token: service.adminKey })
  return body.items.at(-1).article
}

t.test('a guest names an article only with a URL on an origin of the site', async (t) => {
  const service = await openBlog(t)
  await service.post('a', '1', name('Foreign', 'https://evil.example/a'))
  await service.post('a', '2', name('Bare', null))
  t.equal(await titleOf(service), null)
  await service.post('a', '3', name('Own', `${OWN}/a`))
  t.match((await service.get('/articles/a')).body, { title: 'Own', url: `${OWN}/a` })
  await service.post('a', '4', name('Later', `${OWN}/b`))
  t.equal(await titleOf(service), 'Own', 'the first suggestion stands')
})

t.test('on a site for all origins, a URL counts on the origin of its page', async (t) => {
  const service = await openBlog(t, ['*'])
  const from = (origin: string): Call => ({ headers: { origin } })
  await service.post('a', '1', name('None', `${OWN}/a`))
  await service.post('a', '2', name('Other', `${OWN}/a`), from('https://evil.example'))
  t.equal(await titleOf(service), null)
  await service.post('a', '3', name('Same', `${OWN}/a`), from(OWN))
  t.equal(await titleOf(service), 'Same')
})

t.test('the rules about words and links judge a title that a comment suggests', async (t) => {
  const service = await openBlog(t)
  const words = { mode: 'enforce', pending: ['quince'] } as const
  const link_domains = { mode: 'enforce', block: ['evil.example'] } as const
  await goBy(service, { words, link_domains })
  const suggest = (body: string, title: string) => service.post('a', body, name(title, `${OWN}/a`))
  const word = await suggest('1', 'A quin\u00adce')
  const link = await suggest('2', 'see www.evil.example')
  t.match([word, link], [{ status: 'pending' }, { status: 'pending' }])
  t.equal(await titleOf(service), null)
  const queue = '/moderation/comments?status=pending&status=spam'
  const { body } = await service.get(queue, { token: service.adminKey })
  t.match(
    body.items.map(({ trace }: { trace: { found?: object[] }[] }) =>
      trace.flatMap(({ found = [] }) => found),
    ),
    [
      [{ text: 'A quin\u00adce'.slice(2), field: 'title', start: 2, end: 9 }],
      [{ text: 'www.evil.example', field: 'title', start: 4, end: 20 }],
    ],
  )
  t.equal((await suggest('3', 'A pear')).status, 'approved')
  t.equal((await suggest('4', 'A quince')).status, 'approved', 'readers see no second title')
  const staff = { token: service.adminKey, body: { body: '5', author: { name: 'Ada' } } }
  await service.call('POST', `${SITE}/articles/b/comments`, {
    ...staff,
    body: { ...staff.body, ...name('A quince', null) },
  })
  t.equal((await service.get('/articles/b')).body.title, 'A quince')
})

t.test('a re-judgement judges the title that a held comment suggests', async (t) => {
  const service = await openBlog(t)
  await goBy(service, { length: { mode: 'enforce', min: 100 } })
  const { id } = await service.post('a', '1', name('A quince', `${OWN}/a`))
  await goBy(service, { words: { mode: 'enforce', pending: ['quince'] } })
  const { adminKey: token } = service
  const path = `${SITE}/moderation/rejudgements`
  const { body: batch } = await service.call('POST', path, { token, body: {} })
  await until('the batch ends', async () => {
    const { body } = await service.get(`/moderation/batches/${batch.id}`, { token })
    return body.ended_at
  })
  const { body } = await service.get('/moderation/comments?rule=words', { token })
  t.match(body.items, [{ id, status: 'pending' }])
})

t.test('a suggested name goes with its comment, and comes back with it', async (t) => {
  const service = await openBlog(t)
  const { id } = await service.post('a', '1', name('Claimed', `${OWN}/a`))
  await service.post('a', '2')
  await service.decide(id, 'approved', 'rejected')
  t.equal(await titleOf(service), null)
  await service.decide(id, 'rejected', 'approved')
  t.equal(await titleOf(service), 'Claimed')
})

t.test('a name by staff stands over every suggestion, before it and after it', async (t) => {
  const service = await openBlog(t)
  await service.post('a', '1', name('Claimed', `${OWN}/a`))
  t.match(await seenByModerators(service), { title: 'Claimed', confirmed: false })
  t.match((await rename(service, { title: 'Staff' })).body, { title: 'Staff', confirmed: true })
  await service.post('a', '2', name('Again', `${OWN}/b`))
  t.match((await service.get('/articles/a')).body, { title: 'Staff', url: null })
  t.match(await seenByModerators(service), { title: 'Staff', confirmed: true })
  const { body } = await service.get('/moderation/decisions?action=thread', {
    token: service.adminKey,
  })
  await service.call('POST', `${SITE}/moderation/decisions/${body.items[0].id}/undos`, {
    token: service.adminKey,
  })
  t.equal(await titleOf(service), 'Claimed', 'an undo shows the suggestion again')
})

t.test('a post by a key names its article for good', async (t) => {
  const service = await openBlog(t)
  const key = { token: service.adminKey }
  const { id } = await service.post('a', '1', name('Key', 'https://elsewhere.example/'), key)
  await service.post('a', '2')
  await service.decide(id, 'approved', 'deleted')
  t.match((await service.get('/articles/a')).body, {
    title: 'Key',
    url: 'https://elsewhere.example/',
  })
})

t.test('moderators see the name that a held comment suggests', async (t) => {
  const service = await openBlog(t)
  await service.call('PATCH', SITE, { token: service.adminKey, body: { moderation: 'pre' } })
  const { id } = await service.post('a', '1', name('Held', `${OWN}/a`))
  t.match(await seenByModerators(service), { title: 'Held', url: `${OWN}/a`, confirmed: false })
  t.equal(await titleOf(service), null)
  await service.decide(id, 'pending', 'approved')
  t.equal(await titleOf(service), 'Held')
})
