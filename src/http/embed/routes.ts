import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Refusal } from '../../domain/refusal.ts'
import { encodingOf, matches } from '../edge/responses.ts'
import { type Asset, openWidget, toAsset, type Widget } from './widget.ts'

/** Names with a hash never change what they name. */
const FOREVER = 'public, max-age=31536000, immutable'
const SHORTLY = 'public, max-age=300, stale-while-revalidate=86400'
const HASHED = /-[A-Za-z0-9]{8}\.js$/

/** Any page may load the files: a module script needs CORS, and no file contains anything private. */
const HEADERS = {
  'access-control-allow-origin': '*',
  'timing-allow-origin': '*',
  vary: 'Accept-Encoding',
} as const

/** Serves the widget. It is built by the first request, so that the start of the service is as fast without it. */
export const addEmbedRoutes = (app: FastifyInstance): void => {
  const options = { schema: { hide: true }, config: { limit: 'none' as const } }

  app.get('/embed.js', options, (request, reply) => sendAsset(request, reply, 'embed.js'))

  app.get<{ Params: { '*': string } }>('/embed/*', options, (request, reply) =>
    sendAsset(request, reply, request.params['*']),
  )
}

let opened: Promise<Widget> | undefined
const assets = new Map<string, Promise<Asset>>()

/** Builds once per process; after a failure the next request tries again. */
const findWidget = (): Promise<Widget> => {
  opened ??= openWidget().catch((error) => {
    opened = undefined
    throw error
  })
  return opened
}

const findAsset = ({ files }: Widget, path: string): Promise<Asset> => {
  const text = files.get(path)
  // A node of another version can have the file: the answer must not be kept.
  if (text === undefined) throw new Refusal('not_found')
  const known = assets.get(path) ?? toAsset(path, text)
  assets.set(path, known)
  return known
}

const sendAsset = async (
  request: FastifyRequest,
  reply: FastifyReply,
  path: string,
): Promise<FastifyReply> => {
  const widget = await findWidget()
  reply.headers(HEADERS)
  const asset = await findAsset(widget, path)
  const isFixed =
    HASHED.test(path) || (request.query as { v?: string }).v === widget.manifest.messages
  reply.headers({ 'cache-control': isFixed ? FOREVER : SHORTLY, etag: asset.etag })
  const condition = request.headers['if-none-match']
  if (condition !== undefined && matches(condition, asset.etag)) return reply.code(304).send()
  const encoding = encodingOf(request)
  if (encoding === 'identity') return reply.type(asset.type).send(asset.identity)
  return reply.type(asset.type).header('content-encoding', encoding).send(asset[encoding])
}
