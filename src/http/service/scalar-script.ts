import { promisify } from 'node:util'
import { parentPort } from 'node:worker_threads'
import { gzip } from 'node:zlib'
import fastify from 'fastify'

/** A plain string, so that the compiler does not read the types of the package and of zod below it. */
const SCALAR: string = '@scalar/fastify-api-reference'

// The package offers its script only as a route of its plugin.
const server = fastify()
const { default: plugin } = await import(SCALAR)
await server.register(plugin, { routePrefix: '/', configuration: { url: '/openapi.yaml' } })
const { rawPayload } = await server.inject('/js/scalar.js')
parentPort!.postMessage(await promisify(gzip)(rawPayload))
