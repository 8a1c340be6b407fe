import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { type Caller, callerIdOf } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'

/** 16 to 128 visible ASCII characters. */
const KEY = /^[!-~]{16,128}$/

/**
 * Reads the Idempotency-Key and binds it to the site, operation, path parameters and caller. The parameters
 * are decoded, because a path can be encoded in several ways. Undefined if there is no key.
 */
export const readIdempotencyKey = (request: FastifyRequest) => {
  const key = request.headers['idempotency-key']
  if (key === undefined) return undefined
  if (typeof key !== 'string' || !KEY.test(key)) {
    throw new Refusal('invalid_request', {
      'idempotency-key': 'must be 16 to 128 visible ASCII characters',
    })
  }
  const { operation } = request.routeOptions.config
  return {
    siteId: request.site.id,
    keyHash: hash([operation, request.params, callerName(request.caller, request.network), key]),
    bodyHash: hash([request.body, request.headers['if-match']]),
  }
}

const callerName = (caller: Caller, network: string): string =>
  caller.kind === 'nobody' ? `network ${network}` : callerIdOf(caller)

const hash = (parts: readonly unknown[]): Buffer =>
  createHash('sha256').update(JSON.stringify(parts)).digest()
