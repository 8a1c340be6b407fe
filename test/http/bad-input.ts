import { Agent, request as httpRequest } from 'node:http'
import { Parser } from 'htmlparser2'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import type { JsonText } from '../fixtures/hostile.ts'
import { IDS } from '../ids.ts'
import { openService, type TestService } from '../service.ts'
import { listen } from './sockets.ts'

const AT_A_TIME = 8
const SITE = '/v1/sites/default'
const TAGS = 'p br hr em strong del code pre blockquote ul ol li a'.split(' ')
const LANGUAGE = /^language-[A-Za-z0-9+#._-]{1,32}$/
const SCHEMES = ['http:', 'https:', 'mailto:']

type Given = { status: number; type: string; text: string; body?: any }

const isWellFormed = (text: string) => text.isWellFormed()

/** Titles and messages of tap must be ASCII: a raw U+2028 in one breaks its output. */
const ascii = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[^ -~]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

const forEach = async <T>(items: readonly T[], act: (item: T, i: number) => Promise<void>) => {
  const waiting = items.entries()
  const worker = async () => {
    for (const [i, item] of waiting) await act(item, i)
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, worker))
}

/** Faults that no response may have. Returns one line, or undefined if the response is sound. */
const faultOf = ({ status, type, body }: Given): string | undefined => {
  if (status >= 500) return `${status}`
  if (status < 400) return undefined
  if (type !== 'application/problem+json') return `${status} as ${type}`
  return typeof body?.code === 'string' && body.status === status
    ? undefined
    : `${status} without code`
}

/** Collects what is wrong, with the input that caused it. */
const createFaults = () => {
  const lines: string[] = []
  const note = (input: unknown, fault: string | undefined) => {
    if (fault) lines.push(`${fault}: ${ascii(input).slice(0, 200)}`)
  }
  return { lines, note, check: (input: unknown, given: Given) => note(input, faultOf(given)) }
}

/** Over a socket, because `inject` would make the path canonical. */
const createSender = async (t: Test, { app }: TestService) => {
  const port = await listen(app)
  const agent = new Agent({ keepAlive: true, maxSockets: AT_A_TIME })
  t.teardown(() => agent.destroy())
  return (method: string, path: string, body?: Buffer): Promise<Given> =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': body?.length }
      const sent = body ? { headers: headers as Record<string, any> } : {}
      const request = httpRequest({ port, agent, method, path, ...sent }, async (response) => {
        const chunks: Buffer[] = []
        for await (const chunk of response) chunks.push(chunk)
        resolve(toGiven(response.statusCode!, response.headers, Buffer.concat(chunks).toString()))
      })
      request.on('error', reject)
      request.end(body)
    })
}

const toGiven = (status: number, headers: Record<string, any>, text: string): Given => {
  const type = String(headers['content-type'] ?? '')
  return { status, type, text, ...(/json/.test(type) && text && { body: JSON.parse(text) }) }
}

const createCaller =
  ({ call }: TestService) =>
  async (method: string, path: string, body?: unknown, token?: string): Promise<Given> => {
    const { status, headers, text } = await call(method, `${SITE}${path}`, { body, token })
    return toGiven(status, headers, text)
  }

/** Sees with a parser, and once more without one, whether HTML holds anything but the subset. */
export const htmlFault = (html: string): string | undefined => {
  let fault: string | undefined
  const parser = new Parser({
    onopentag: (name, attributes) => {
      if (!TAGS.includes(name)) fault = `<${name}>`
      for (const [key, value] of Object.entries(attributes))
        fault ??= attributeFault(name, key, value)
    },
    oncomment: () => {
      fault = 'a comment'
    },
    onprocessinginstruction: () => {
      fault = 'an instruction'
    },
  })
  parser.end(html)
  const rest = html.replace(/<\/?[a-z]+(?: [a-z]+="[^"<>]*")*(?: \/)?>/g, '')
  return fault ?? (rest.includes('<') ? 'a bare <' : undefined)
}

const attributeFault = (tag: string, key: string, value: string): string | undefined => {
  if (tag === 'ol' && key === 'start' && /^\d+$/.test(value)) return undefined
  if (tag === 'code' && key === 'class' && LANGUAGE.test(value)) return undefined
  if (tag === 'a' && key === 'rel' && value === 'nofollow ugc noopener noreferrer') return undefined
  const scheme = tag === 'a' && key === 'href' && URL.parse(value)?.protocol
  return scheme && SCHEMES.includes(scheme) ? undefined : `<${tag} ${key}>`
}

/** Posts each text, and sees that what was acknowledged is harmless, in the row and in the API. */
const postTexts = async (t: Test, texts: readonly string[]) => {
  const service = await openService(t)
  const call = createCaller(service)
  const faults = createFaults()
  const kept = new Map<string, string>()
  await forEach(texts, async (text) => {
    const body = { body: text, author: { name: 'Ada' } }
    const given = await call('POST', '/articles/a/comments', body)
    faults.check(text, given)
    if (given.status !== 201) return
    kept.set(given.body.id, text)
    faults.note(text, htmlFault(given.body.body_html))
  })
  t.strictSame(faults.lines, [])
  t.strictSame(changedRows(await readRows(service), kept), [], 'rows as sent')
  t.strictSame(changedComments(await readComments(call), kept), [], 'comments as sent')
  const { length } = texts
  t.ok(kept.size > 0.9 * length, `${kept.size} of ${length} were taken`)
}

const readRows = async ({ db }: TestService) => {
  const { rows } = await sql<{ threadId: number; id: number; bytes: Buffer }>`
    select thread_id, id, convert_to(body, 'UTF8') as bytes from comments`.execute(db)
  return rows
}

const changedRows = (rows: Awaited<ReturnType<typeof readRows>>, kept: Map<string, string>) =>
  [...kept].flatMap(([id, text]) => {
    const row = rows.find((row) => IDS.writeComment(row) === id)
    return row?.bytes.equals(Buffer.from(text)) ? [] : [ascii(text)]
  })

const readComments = async (call: ReturnType<typeof createCaller>) => {
  const found: { id: string; body: string; body_html: string; author: { name: string } }[] = []
  for (let cursor = ''; ; ) {
    const { body } = await call('GET', `/articles/a/comments?view=flat&limit=100${cursor}`)
    found.push(...body.items)
    if (body.next_cursor === null) return found
    cursor = `&cursor=${body.next_cursor}`
  }
}

const changedComments = (
  comments: Awaited<ReturnType<typeof readComments>>,
  kept: Map<string, string>,
) => [
  ...(comments.length === kept.size ? [] : [`${comments.length} of ${kept.size}`]),
  ...comments.flatMap(({ id, body, body_html: html }) =>
    body === kept.get(id) && !htmlFault(html) ? [] : [ascii(body)],
  ),
]

/** Requests with the text in every place of the API that takes text. */
export type HostileInput = {
  /** Texts of comments, by a name. */
  readonly texts: Readonly<Record<string, readonly string[]>>
  readonly naughty: readonly string[]
  readonly json: readonly JsonText[]
}

/** Tests that hostile input gets an answer that is documented, and that the input is kept as sent. */
export const testHostileInput = ({ texts, naughty, json }: HostileInput): void => {
  for (const [name, those] of Object.entries(texts)) {
    t.test(`${name} are kept as sent and rendered harmless`, async (t) => postTexts(t, those))
  }

  t.test('naughty strings as names are refused, or kept normalised', async (t) => {
    const call = createCaller(await openService(t))
    const faults = createFaults()
    const names = new Map<string, string>()
    await forEach(naughty, async (name) => {
      const given = await call('POST', '/articles/a/comments', { body: 'x', author: { name } })
      faults.check(name, given)
      if (given.status !== 201) return
      const kept = name.trim().normalize('NFKC').trim()
      names.set(given.body.id, kept)
      if (/[\p{Cc}\p{Bidi_Control}\u200b]/u.test(kept)) faults.note(name, 'taken')
    })
    for (const { id, author } of await readComments(call)) {
      if (author.name !== names.get(id)) faults.note(author.name, 'changed')
    }
    t.strictSame(faults.lines, [])
    t.ok(names.size > naughty.length / 3, `${names.size} of ${naughty.length} were taken`)
  })

  t.test('naughty strings in every other field of a body get a documented answer', async (t) => {
    const service = await openService(t)
    const call = createCaller(service)
    const { id } = await service.post('a', 'x')
    const faults = createFaults()
    const author = { name: 'Ada' }
    await forEach(naughty, async (text) => {
      const bodies = [
        { body: 'x', author, parent_id: text },
        { body: 'x', author: { ...author, url: text }, article: { title: text } },
        { body: 'x', author: { ...author, email: text }, article: { url: text } },
        { body: 'x', author, [text]: text },
      ]
      for (const body of bodies)
        faults.check(body, await call('POST', '/articles/b/comments', body))
      const counts = await call('POST', '/counts', { article_ids: [text] })
      faults.check(text, counts)
      if (counts.status === 200 && !Object.hasOwn(counts.body, text))
        faults.note(text, 'not counted')
      const decision = { from: 'approved', to: text, reason: text, note: text }
      faults.check(
        text,
        await call('POST', `/comments/${id}/decisions`, decision, service.adminKey),
      )
      faults.check(text, await call('PATCH', '/articles/b', { state: text }, service.adminKey))
    })
    t.strictSame(faults.lines, [])
  })

  t.test('naughty strings as article ids name a thread each', async (t) => {
    const service = await openService(t)
    const send = await createSender(t, service)
    const faults = createFaults()
    const body = Buffer.from(JSON.stringify({ body: 'x', author: { name: 'Ada' } }))
    await forEach(naughty.filter(isWellFormed), async (id) => {
      const path = `${SITE}/articles/${encodeURIComponent(id)}`
      const given = await send('POST', `${path}/comments`, body)
      faults.check(id, given)
      if (given.status !== 201) return
      const { body: thread } = await send('GET', path)
      if (given.body.article_id !== id || thread.article_id !== id) faults.note(id, 'changed')
      const counts = await send('GET', `${SITE}/counts?article_id=${encodeURIComponent(id)}`)
      if (counts.body[id]?.comment_count !== thread.comment_count) faults.note(id, 'not counted')
    })
    t.strictSame(faults.lines, [])
  })

  t.test('naughty strings in paths and headers get a documented answer', async (t) => {
    const service = await openService(t)
    const send = await createSender(t, service)
    const faults = createFaults()
    await forEach(naughty, async (text) => {
      const path = text.replace(/[^!-~]/g, '%20').replaceAll('#', '')
      for (const target of [`${SITE}/comments/${path}`, `/${path}`]) {
        const given = await send('GET', target)
        // The page about the API is a site of its own.
        if (!target.startsWith('/docs')) faults.check(target, given)
      }
      const printable = text.replace(/[^\t -~]/g, '?')
      const places = [
        ['GET', { authorization: printable }],
        ['GET', { 'if-none-match': printable, origin: printable, 'x-forwarded-for': printable }],
        ['POST', { 'idempotency-key': printable, 'content-type': 'application/json' }],
      ] as const
      for (const [method, headers] of places) {
        const answer = await service.call(method, `${SITE}/articles/a/comments`, { headers })
        faults.check([headers, text], toGiven(answer.status, answer.headers, answer.text))
      }
    })
    t.strictSame(faults.lines, [])
  })

  t.test('naughty strings as query parameters get a documented answer', async (t) => {
    const service = await openService(t)
    const call = createCaller(service)
    const { id } = await service.post('a', 'x')
    const places = {
      '/articles/a/comments': ['sort', 'limit', 'at_least', 'focus'],
      '/comments': ['article_id', 'author_id'],
      '/counts': ['article_id'],
      '/moderation/comments': ['status', 'q', 'article_id'],
      '/moderation/decisions': ['comment_id'],
    }
    const lists = ['/articles/a/comments', `/comments/${id}/replies`, '/comments', '/articles']
    const faults = createFaults()
    await forEach(naughty.filter(isWellFormed), async (text, i) => {
      const value = encodeURIComponent(text)
      const ask = async (query: string) => {
        const token = query.startsWith('/moderation') ? service.adminKey : undefined
        faults.check([query, text], await call('GET', query, undefined, token))
      }
      for (const [path, names] of Object.entries(places))
        for (const name of names) await ask(`${path}?${name}=${value}`)
      await ask(`${lists[i % lists.length]}?cursor=${value}`)
      await ask(`/config?${value}=1`)
    })
    t.strictSame(faults.lines, [])
  })

  t.test('texts of a JSON test suite as bodies are refused', async (t) => {
    const send = await createSender(t, await openService(t))
    const faults = createFaults()
    await forEach(json, async ({ name, bytes }) => {
      for (const path of ['/articles/a/comments', '/counts', '/preview', '/guests']) {
        const given = await send('POST', `${SITE}${path}`, bytes)
        faults.check([path, name], given)
        if (given.status !== (bytes.length > 65_536 && path !== '/counts' ? 413 : 400))
          faults.note([path, name], `${given.status}`)
      }
    })
    t.strictSame(faults.lines, [])
  })

  // Most texts are an array around the value that is tested.
  t.test('values of a JSON test suite as bodies of comments are kept, or refused', async (t) => {
    const service = await openService(t)
    const send = await createSender(t, service)
    const faults = createFaults()
    let taken = 0
    await forEach(json, async ({ name, bytes }) => {
      const inner = bytes.subarray(bytes.indexOf('[') + 1, Math.max(0, bytes.lastIndexOf(']')))
      const body = Buffer.concat([
        Buffer.from('{"author":{"name":"Ada"},"body":'),
        inner,
        Buffer.from('}'),
      ])
      const given = await send('POST', `${SITE}/articles/a/comments`, body)
      faults.check(name, given)
      if (given.status !== 201) return
      taken += 1
      if (given.body.body !== JSON.parse(body.toString()).body) faults.note(name, 'changed')
      if (name.startsWith('n_')) faults.note(name, 'taken')
    })
    t.strictSame(faults.lines, [])
    t.ok(taken > json.length / 12, `${taken} of ${json.length} were taken`)
  })
}
