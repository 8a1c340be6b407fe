import t from 'tap'
import { openBrowser, skipWithoutBrowser } from '../browser.ts'
import { openService } from '../service.ts'

t.test('GET / names the service and its version and links to what it offers', async (t) => {
  const { call } = await openService(t)
  const { status, headers, text } = await call('GET', '/')
  t.equal(status, 200)
  t.equal(headers['content-type'], 'text/html; charset=utf-8')
  t.match(headers['content-security-policy'], /^default-src 'none'; style-src 'sha256-[^']+'/)
  t.match(text, /Afterword <small>0\.0\.0</)
  t.match(text, /comment service/)
  t.notMatch(text, /<script/)
  const links = [...text.matchAll(/<a href="([^"]*)"/g)].map(([, href]) => href!)
  t.same(links, ['/docs', '/openapi.yaml', '/readyz'])
  for (const link of links) t.equal((await call('GET', link)).status, 200, link)
})

t.test(
  'the page at / is styled under its content security policy',
  { skip: skipWithoutBrowser },
  async (t) => {
    const { app } = await openService(t)
    const address = await app.listen({ port: 0 })
    const page = await (await openBrowser(t)).newPage({ viewport: { width: 1200, height: 800 } })
    const complaints: string[] = []
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    await page.goto(address)
    t.ok((await page.locator('body').boundingBox())!.width < 700, 'the style is in force')
    t.same(complaints, [])
  },
)
