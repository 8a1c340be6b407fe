import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Http } from '../edge/request-context.ts'

/** The article whose thread `npm run demo` fills. */
export const DEMO_ARTICLE = 'demo'

/** The line of page CSS that keeps the space of the thread, so that no text moves when the comments come. */
export const RESERVE = 'afterword-thread { display: block; min-block-size: 100svh }'

const STYLE = `
:root { color-scheme: light dark }
body { font: 1.05rem/1.6 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }
small { opacity: .75 }
pre { overflow-x: auto; padding: .75rem; border-radius: 4px; background: rgb(128 128 128 / .15) }
ul { padding-inline-start: 1.25rem }
aside { display: flex; flex-wrap: wrap; gap: 0 2rem }
aside > * { flex: 1 1 14rem }
${RESERVE}
`

/** The widget needs scripts, requests and pictures of this origin, and never parses text as HTML. */
const PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "script-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const DEMO = `<h2>Try it</h2>
<p>The thread below belongs to the article <code>${DEMO_ARTICLE}</code>. <code>npm run demo</code> posts some comments
to it. Only browsers on this computer see the thread here.</p>
<afterword-thread article="${DEMO_ARTICLE}" heading-level="3"></afterword-thread>
<aside>
<afterword-recent limit="5" excerpt="80" heading-level="3"></afterword-recent>
<afterword-staff heading-level="3"></afterword-staff>
</aside>`

const toPage = (version: string, origin: string, isLocal: boolean): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Afterword</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
${isLocal ? '<script type="module" src="embed.js" async></script>\n' : ''}</head>
<body>
<h1>Afterword <small>${version}</small></h1>
<p>This is a comment service: it keeps nested comments for the articles of any site and shows them there.</p>
<h2>Copy the tag</h2>
<p>Each page of your site that contains these lines shows its comments:</p>
<pre><code>&lt;script type="module" src="${origin}/embed.js" async&gt;&lt;/script&gt;
&lt;style&gt;${RESERVE}&lt;/style&gt;
&lt;afterword-thread&gt;&lt;/afterword-thread&gt;</code></pre>
<h2>Read on</h2>
<ul>
<li><a href="docs">API reference</a>, with a quick start</li>
<li><a href="openapi.yaml">OpenAPI description</a></li>
<li><a href="readyz">Readiness</a></li>
<li>Documentation: <code>README.md</code> and <code>docs/embedding.md</code> in the source</li>
</ul>
${isLocal ? DEMO : ''}
</body>
</html>
`

/** The only forms of a host that the page prints, so that no host needs escaping. */
const PRINTABLE_HOST = /^([\w.-]+|\[[\da-f:]+\])(:\d+)?$/i
const LOOPBACK_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i

/** A proxy on the same machine adds the address of the reader, so that readers elsewhere do not count as local. */
const isLocal = ({ host, headers }: FastifyRequest): boolean =>
  LOOPBACK_HOST.test(host) &&
  headers['x-forwarded-for'] === undefined &&
  headers.forwarded === undefined

/** Serves a page at the bare address for people who open it in a browser. */
export const addWelcome = (
  app: FastifyInstance,
  { version, publicUrl }: Pick<Http, 'version' | 'publicUrl'>,
): void => {
  app.get('/', { schema: { hide: true }, config: { limit: 'none' } }, async (request, reply) => {
    const host = PRINTABLE_HOST.test(request.host) ? request.host : 'comments.example'
    return reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', PAGE_POLICY)
      .header('cache-control', 'no-store')
      .send(toPage(version, publicUrl || `${request.protocol}://${host}`, isLocal(request)))
  })
}
