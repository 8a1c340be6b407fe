import type { Page } from 'playwright-core'
import t from 'tap'
import { parse } from 'yaml'
import { openBrowser, skipWithoutBrowser } from '../browser.ts'
import { openService, type TestService } from '../service.ts'

type Operation = { operationId: string; summary: string; tags: [string] }

const describe = async ({ call }: TestService) => parse((await call('GET', '/openapi.yaml')).text)

const findOperations = async (service: TestService, ids: string[]): Promise<Operation[]> => {
  const { paths } = await describe(service)
  const operations = Object.values(paths).flatMap((methods) => Object.values(methods as object))
  return ids.map((id) => operations.find(({ operationId }) => operationId === id))
}

/** Reports of the browser: requests to other origins, and errors, CSP violations included. */
const watch = (page: Page, address: string) => {
  const complaints: string[] = []
  const foreign: string[] = []
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(`${address}/`) && !url.startsWith('data:')) foreign.push(url)
  })
  return { complaints, foreign }
}

t.test(
  'the reference page shows the quick start and operation ids, from its own origin alone',
  { skip: skipWithoutBrowser },
  async (t) => {
    const service = await openService(t)
    const address = await service.app.listen({ port: 0 })
    const page = await (await openBrowser(t)).newPage({ viewport: { width: 1400, height: 1000 } })
    const seen = watch(page, address)
    page.setDefaultTimeout(90_000)
    await page.goto(`${address}/docs`)
    t.equal(await page.title(), 'Afterword API')
    await page.getByRole('heading', { name: 'Quick start' }).waitFor()
    const sidebar = page.getByRole('complementary')
    const operations = await findOperations(service, ['listThread', 'postComment'])
    for (const { operationId, summary, tags } of operations) {
      const entry = sidebar.getByText(summary, { exact: true })
      if (!(await entry.isVisible())) await sidebar.getByText(tags[0], { exact: true }).click()
      await entry.click()
      await page.getByText(operationId, { exact: true }).first().waitFor()
    }
    t.strictSame(seen, { complaints: [], foreign: [] })
  },
)
