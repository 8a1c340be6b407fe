import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import t from 'tap'
import { buildWidget, openWidget } from '../../src/http/embed/widget.ts'
import { openService } from '../service.ts'

t.test('the service serves the widget to pages of any origin', async (t) => {
  const { app, call } = await openService(t)
  const { body: manifest } = await call('GET', '/embed/manifest.json')

  t.test('/embed.js is kept for a short time, and its scripts for ever', async (t) => {
    const loader = await call('GET', '/embed.js')
    t.match(loader, {
      status: 200,
      headers: {
        'content-type': 'text/javascript; charset=utf-8',
        'cache-control': 'public, max-age=300, stale-while-revalidate=86400',
        'access-control-allow-origin': '*',
        'cross-origin-resource-policy': 'cross-origin',
        'timing-allow-origin': '*',
        'x-content-type-options': 'nosniff',
        vary: 'Accept-Encoding',
      },
    })
    for (const name of Object.values<string>(manifest.scripts)) {
      const script = await call('GET', `/embed/${name}`)
      t.match(script, {
        status: 200,
        headers: { 'cache-control': 'public, max-age=31536000, immutable' },
      })
    }
  })

  t.test('a browser that has a file gets 304', async (t) => {
    const { headers } = await call('GET', '/embed.js')
    for (const condition of [headers.etag, `W/${headers.etag}`, `"x", ${headers.etag}`]) {
      const again = { headers: { 'if-none-match': condition } }
      t.match(await call('GET', '/embed.js', again), { status: 304, text: '' })
    }
  })

  t.test('a file is sent as small as the browser takes it', async (t) => {
    const { text } = await call('GET', '/embed.js')
    const decoders = { br: brotliDecompressSync, gzip: gunzipSync }
    for (const [encoding, decode] of Object.entries(decoders)) {
      const headers = { 'accept-encoding': encoding }
      const answer = await app.inject({ url: '/embed.js', headers })
      t.equal(answer.headers['content-encoding'], encoding)
      t.equal(decode(answer.rawPayload).toString(), text)
      t.ok(answer.rawPayload.length < text.length / 2)
    }
  })

  t.test('messages are fixed under the version that the loader names', async (t) => {
    const named = await call('GET', `/embed/messages/en.json?v=${manifest.messages}`)
    t.match(named, { status: 200, headers: { 'cache-control': /immutable/ } })
    const other = await call('GET', '/embed/messages/en.json?v=earlier')
    t.match(other, { status: 200, headers: { 'cache-control': /max-age=300/ } })
  })

  t.test('a file of another release is 404, and no cache keeps that', async (t) => {
    const paths = ['thread-00000000.js', 'loader.ts', 'messages/xx.json', '__proto__', '']
    paths.push('..%2f..%2fpackage.json', '%2e%2e/%2e%2e/package.json', '%2fetc%2fpasswd', 'a%5c..')
    for (const path of paths)
      t.match(await call('GET', `/embed/${path}`), {
        status: 404,
        headers: { 'cache-control': 'no-store', 'access-control-allow-origin': '*' },
        body: { code: 'not_found' },
      })
  })

  t.test('the manifest has the integrity of every script', async (t) => {
    for (const [name, integrity] of Object.entries<string>(manifest.integrity)) {
      const { text } = await call('GET', `/embed/${name}`)
      const hash = await crypto.subtle.digest('SHA-384', Buffer.from(text))
      t.equal(integrity, `sha384-${Buffer.from(hash).toString('base64')}`)
    }
    t.ok(Object.keys(manifest.integrity).some((name) => /^embed-\w{8}\.js$/.test(name)))
  })
})

t.test('first requests that come together build the widget once', async (t) => {
  const { app } = await openService(t)
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => app.inject({ url: '/embed.js' })),
  )
  t.same(new Set(answers.map(({ statusCode }) => statusCode)), new Set([200]))
  t.equal(new Set(answers.map(({ body }) => body)).size, 1)
})

t.test('built files that are incomplete or broken are not served', async (t) => {
  const whole = await buildWidget()
  const dist = t.testdir(
    Object.fromEntries([...whole.files].filter(([path]) => !path.includes('/'))),
  )
  const opens = async () => (await openWidget(dist)).files.get(`embed.js`)
  t.equal(await opens(), whole.files.get('embed.js'))
  const script = join(dist, whole.manifest.scripts.thread!)
  writeFileSync(script, 'half of a scr')
  const { files } = await openWidget(dist)
  t.equal(
    files.get(whole.manifest.scripts.thread!),
    whole.files.get(whole.manifest.scripts.thread!),
  )
  writeFileSync(join(dist, 'manifest.json'), '{"source":')
  t.equal(await opens(), whole.files.get('embed.js'), 'a disk was full')
})
