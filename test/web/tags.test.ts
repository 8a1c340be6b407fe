import t from 'tap'
import { skipWithoutBrowser } from '../browser.ts'
import { openSignOn, signToken } from '../members.ts'
import { openSite } from './pages.ts'

t.test('the small tags in a browser', { skip: skipWithoutBrowser }, async (t) => {
  const { service, open, base } = await openSite(t)

  t.test('200 count tags make one request', async (t) => {
    for (let n = 0; n < 3; n++) await service.post('counted-7', `Comment ${n}`)
    await service.post('counted-8', 'One')
    const tags = Array.from(
      { length: 200 },
      (_, n) => `<p id="p${n}"><afterword-count article="counted-${n}"></afterword-count></p>`,
    )
    const { page, requests, complaints } = await open({ body: tags.join('') })
    await page.locator('#p7', { hasText: '3' }).waitFor()
    t.equal(await page.locator('#p9').textContent(), '0')
    t.equal(requests.filter((request) => request.includes('/counts')).length, 1)
    t.same(
      requests.filter((request) => !request.startsWith('GET ')),
      [],
      'no preflight',
    )
    t.same(complaints, [])
  })

  t.test('a count can be a sentence, and can say zero in its own words', async (t) => {
    const body = `<afterword-count article="counted-8" format="text"></afterword-count>
<afterword-count article="counted-7" format="text"></afterword-count>
<afterword-count article="quiet" zero="Be the first"></afterword-count>`
    const { page } = await open({ body })
    await page.getByText('1 Comment', { exact: true }).waitFor()
    await page.getByText('3 Comments').waitFor()
    await page.getByText('Be the first').waitFor()
    t.pass()
  })

  t.test('recent comments lead to their articles', async (t) => {
    await service.call('PATCH', '/v1/sites/default/articles/counted-8', {
      token: service.adminKey,
      body: { title: 'Eight', url: 'https://a.example/8' },
    })
    const { id } = await service.post('counted-8', 'The **latest** of all')
    const { page, complaints } = await open({
      body: '<afterword-recent limit="2"></afterword-recent>',
    })
    await page.getByRole('heading', { name: 'Recent comments' }).waitFor()
    const link = page.getByRole('link', { name: 'The latest of all' })
    t.equal(await link.getAttribute('href'), `https://a.example/8#${id}`)
    t.equal(await page.getByRole('listitem').count(), 2)
    t.same(complaints, [])
  })

  t.test('the staff of the site stands in one list for each role, with places', async (t) => {
    await openSignOn(service)
    const people = [
      { subject: 'matthew', name: 'Matthew', location: 'Canada', roles: ['contributor'] },
      { subject: 'corey', name: 'Corey', location: 'Ghent', roles: ['contributor', 'moderator'] },
    ]
    for (const { subject, ...member } of people)
      await service.call('PATCH', `/v1/sites/default/members/${subject}`, {
        token: service.adminKey,
        body: { ...member, listed: true },
      })
    const { page, complaints } = await open({ body: '<afterword-staff></afterword-staff>' })
    await page.getByRole('heading', { name: 'Contributors' }).waitFor()
    t.same(await page.getByRole('listitem').allTextContents(), [
      'Matthew, Canada',
      'Corey, Ghent',
      'Corey, Ghent',
    ])
    t.same(complaints, [])
    const token = await signToken({ sub: 'corey', name: 'Corey' })
    await service.post('staffed', 'I moderate', {}, { token })
    const thread = await open({ body: '<afterword-thread article="staffed"></afterword-thread>' })
    await thread.page.getByText('Moderator, Ghent').waitFor()
  })

  t.test(
    'the script twice, the pinned script, and properties before the tag is known',
    async (t) => {
      await service.post('pinned', 'Found')
      const { body: manifest } = await service.call('GET', '/embed/manifest.json')
      const name = Object.keys(manifest.integrity).find((file) => file.startsWith('embed-'))!
      const head = `<script type="module" nonce="n" crossorigin src="${base}/embed/${name}"
 integrity="${manifest.integrity[name]}"></script>`
      const body = `<script nonce="n">const early = document.createElement('afterword-thread')
early.article = 'pinned'
early.loading = 'eager'
document.body.append(early)</script>`
      const { page, complaints } = await open({ head, body })
      await page.getByText('Found').waitFor()
      t.same(complaints, [])
    },
  )
})
