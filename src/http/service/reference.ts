import { Worker } from 'node:worker_threads'
import { createGunzip } from 'node:zlib'
import { Negotiator } from '@fastify/accept-negotiator'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { writeDescription } from '../wire/description.ts'

/** The page loads everything from this origin, by relative addresses, and no other page may frame it. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'", // the script inserts its own styles
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Switches off everything of Scalar that would contact another origin. */
const CONFIGURATION = {
  url: 'openapi.yaml',
  showOperationId: true,
  authentication: { preferredSecurityScheme: 'bearer' },
  documentDownloadType: 'direct',
  hideClientButton: true,
  showDeveloperTools: 'never',
  withDefaultFonts: false,
  telemetry: false,
  agent: { disabled: true },
  mcp: { disabled: true },
}

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Afterword API</title>
<link rel="icon" href="data:,">
</head>
<body>
<noscript>This page needs JavaScript. The same description is at <a href="openapi.yaml">openapi.yaml</a>.</noscript>
<div id="api-reference" data-configuration='${JSON.stringify(CONFIGURATION)}'></div>
<script src="docs/scalar.js"></script>
</body>
</html>
`

const SCRIPT_LIFETIME = 'public, max-age=86400'

/** Serves the API description as a file and as a page to read. */
export const addReference = (app: FastifyInstance): void => {
  const options = { schema: { hide: true }, config: { limit: 'none' as const } }

  let description: string | undefined
  app.get('/openapi.yaml', options, async (_request, reply) => {
    description ??= writeDescription(app)
    return reply.type('application/yaml; charset=utf-8').send(description)
  })

  app.get('/docs', options, async (_request, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', PAGE_POLICY)
      .header('cache-control', 'no-cache')
      .send(PAGE),
  )

  app.get('/docs/', options, async (_request, reply) => reply.redirect('../docs', 301))

  app.get('/docs/scalar.js', options, async (request, reply) => {
    const compressed = await findScript()
    reply.header('cache-control', SCRIPT_LIFETIME).header('vary', 'Origin, Accept-Encoding')
    return sendScript(reply, compressed, request.headers['accept-encoding'])
  })
}

const negotiator = new Negotiator({ supportedValues: ['gzip', 'identity'] })

/** A client without gzip gets a stream, so that a slow client does not keep 5 MB in memory. */
const sendScript = (
  reply: FastifyReply,
  compressed: Buffer,
  accepted: string | string[] = 'identity',
): FastifyReply => {
  reply.type('text/javascript; charset=utf-8')
  const isCompressed = negotiator.negotiate(String(accepted)) === 'gzip'
  if (isCompressed) return reply.header('content-encoding', 'gzip').send(compressed)
  const plain = createGunzip()
  plain.end(compressed)
  return reply.send(plain)
}

let script: Promise<Buffer> | undefined

/** Loads the script once per process; after a failure the next request tries again. */
const findScript = (): Promise<Buffer> => {
  script ??= loadScript().catch((error) => {
    script = undefined
    throw error
  })
  return script
}

/**
 * Loading and compressing the script of 5 MB takes about a second of processor time. A worker does it
 * when the page is first opened, so that neither the start nor other requests wait for it.
 */
const loadScript = (): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./scalar-script.ts', import.meta.url))
    worker.once('message', (bytes: Uint8Array) => resolve(Buffer.from(bytes)))
    worker.once('error', reject)
    worker.once('exit', () => reject(new Error('the worker ended without the script')))
  })
