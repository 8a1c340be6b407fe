import t from 'tap'
import { openBrowser, skipWithoutBrowser } from '../browser.ts'
import { openService } from '../service.ts'

t.test('the description of the service is served as it is committed', async (t) => {
  const { call } = await openService(t)
  const { status, headers, text } = await call('GET', '/openapi.yaml')
  t.equal(status, 200)
  t.match(headers['content-type'], /^application\/yaml/)
  t.match(text, /operationId: postComment/)
})

t.test(
  'the reference page shows every operation, from our own origin alone',
  { skip: skipWithoutBrowser },
  async (t) => {
    const { app } = await openService(t)
    const address = await app.listen({ port: 0 })
    const page = await (await openBrowser(t)).newPage()
    const complaints: string[] = []
    const foreign: string[] = []
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('request', (request) => {
      const url = request.url()
      if (!url.startsWith(address) && !url.startsWith('data:')) foreign.push(url)
    })
    await page.goto(`${address}/docs`)
    await page.getByText('Post a comment or reply').waitFor()
    t.equal(await page.title(), 'Afterword')
    t.strictSame({ complaints, foreign }, { complaints: [], foreign: [] })
  },
)
