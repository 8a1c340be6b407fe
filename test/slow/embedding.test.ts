import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { openBrowser, skipWithoutBrowser } from '../browser.ts'
import { listen } from '../http/sockets.ts'
import { openSignOn, signToken } from '../members.ts'
import { openService, type TestService } from '../service.ts'

/** An empty page of another origin. The test runs as its script. */
const openSite = async (t: Test): Promise<string> => {
  const server = createServer((_request, answer) =>
    answer.setHeader('content-type', 'text/html').end('<!doctype html><title>An article</title>'),
  ).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

type Act = { method: string; path: string; body?: object; token?: string }

/** Runs in the page: what a widget would do with `fetch`. */
const act = async ({ base, method, path, body, token }: Act & { base: string }) => {
  try {
    const answer = await fetch(`${base}/v1/sites/default${path}`, {
      method,
      headers: {
        ...(body && { 'content-type': 'application/json' }),
        ...(token && { authorization: `Bearer ${token}` }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const version = answer.headers.get('thread-version')
    const etag = answer.headers.get('etag')
    return { status: answer.status, body: await answer.json().catch(() => null), version, etag }
  } catch (error) {
    return { status: 0, body: String(error), version: null, etag: null }
  }
}

const openPages = async (
  t: Test,
): Promise<{ service: TestService; allowed: any; foreign: any }> => {
  const service = await openService(t)
  await openSignOn(service)
  const [home, elsewhere] = [await openSite(t), await openSite(t)]
  await service.changeSite({ origins: [home] })
  const base = `http://127.0.0.1:${await listen(service.app)}`
  const browser = await openBrowser(t)
  const open = async (origin: string) => {
    const page = await browser.newPage()
    await page.goto(origin)
    return (what: Act) => page.evaluate(act, { base, ...what })
  }
  return { service, allowed: await open(home), foreign: await open(elsewhere) }
}

const COMMENTS = '/articles/a/comments'

t.test('a page of another origin in a browser', { skip: skipWithoutBrowser }, async (t) => {
  const { service, allowed, foreign } = await openPages(t)
  const token = await signToken()
  const posted = await allowed({
    method: 'POST',
    path: COMMENTS,
    body: { body: 'from a page', author: { name: 'Ada' } },
  })
  const guest = posted.body.guest_token

  t.test('a page of an allowed origin reads, posts, edits and votes', async (t) => {
    t.match(posted, { status: 201, version: /^\d+$/ })
    const { id } = posted.body
    const edit = {
      method: 'PATCH',
      path: `/comments/${id}`,
      body: { body: 'edited' },
      token: guest,
    }
    t.match(await allowed(edit), { status: 200, body: { revision: 2 } })
    const vote = { method: 'PUT', path: `/comments/${id}/vote`, body: { value: 1 }, token }
    t.match(await allowed(vote), { status: 200, body: { score: 1 } })
    const read = await allowed({ method: 'GET', path: COMMENTS })
    t.match(read, { status: 200, etag: /^"/, body: { items: [{ body: 'edited', score: 1 }] } })
    const viewer = await allowed({ method: 'GET', path: '/articles/a/viewer', token })
    t.match(viewer.body, { author: { name: 'Ada', kind: 'member' }, votes: { [id]: 1 } })
  })

  t.test('a page of a foreign origin reads only its refusal and changes nothing', async (t) => {
    const { id } = posted.body
    const acts: Act[] = [
      { method: 'GET', path: COMMENTS },
      { method: 'POST', path: COMMENTS, body: { body: 'x', author: { name: 'Mallory' } } },
      { method: 'PATCH', path: `/comments/${id}`, body: { body: 'x' }, token: guest },
      { method: 'PUT', path: `/comments/${id}/vote`, body: { value: -1 }, token },
      { method: 'DELETE', path: `/comments/${id}`, token: guest },
    ]
    const refusal = { status: 403, body: { code: 'origin_refused' } }
    for (const what of acts) t.match(await foreign(what), refusal, what.method)
    const { body } = await service.get(COMMENTS)
    t.match(body, { thread: { comment_count: 1 }, items: [{ body: 'edited', score: 1 }] })
  })
})
