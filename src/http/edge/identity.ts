import type { FastifyRequest } from 'fastify'
import type { Caller } from '../../domain/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import { findKey } from '../../usecases/reading/recognise.ts'
import { readGuestToken } from '../wire/guest-tokens.ts'
import { type Http, NOBODY } from './context.ts'

const KEY = /^[A-Za-z0-9_-]{32,200}$/

const tokenOf = (authorization = ''): string => /^Bearer +([!-~]+)$/i.exec(authorization)?.[1] ?? ''

/** Whether the credential looks like an API key. */
export const mayBeKey = ({ headers }: FastifyRequest): boolean =>
  KEY.test(tokenOf(headers.authorization))

/**
 * Who sent the request. A credential that is not good is refused with `invalid_token`, even where
 * none is needed: whoever sends one believes that it counts. A key for another site is `forbidden`.
 */
export const identify = async ({ world, keys }: Http, request: FastifyRequest): Promise<Caller> => {
  const { authorization } = request.headers
  if (authorization === undefined) return NOBODY
  const token = tokenOf(authorization)
  const guestId = readGuestToken(keys().guests, request.site.id, token)
  if (guestId !== undefined) return { kind: 'guest', authorId: guestId }
  const key = KEY.test(token) ? await findKey(world, token) : undefined
  if (!key) throw new Refusal('invalid_token')
  if (key.siteId !== null && key.siteId !== request.site.id) throw new Refusal('forbidden')
  return key
}
