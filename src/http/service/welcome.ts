import { createHash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'

const STYLE = `
:root { color-scheme: light dark }
body { font: 1.1rem/1.6 system-ui, sans-serif; max-width: 36rem; margin: 4rem auto; padding: 0 1rem }
small { opacity: .7 }`

const PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  'img-src data:',
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

const toPage = (version: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Afterword</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<h1>Afterword <small>${version}</small></h1>
<p>This is a comment service: an API that keeps nested comments for the articles of any site.</p>
<ul>
<li><a href="/docs">API reference</a>, with a quick start</li>
<li><a href="/openapi.yaml">OpenAPI description</a></li>
<li><a href="/readyz">Readiness</a></li>
</ul>
</body>
</html>
`

/** Serves a page at the bare address for people who open it in a browser. */
export const addWelcome = (app: FastifyInstance, version: string): void => {
  const page = toPage(version)
  app.get('/', { schema: { hide: true }, config: { limit: 'none' } }, async (_request, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', PAGE_POLICY)
      .header('cache-control', 'no-cache')
      .send(page),
  )
}
