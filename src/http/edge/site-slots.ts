import { finished } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Refusal } from '../../domain/refusal.ts'

/** Expensive requests of one site that this node handles at the same time. */
const SLOTS = 2
const RETRY_AFTER_SECONDS = 2

/** @throws `site_busy` if the site already has as many expensive requests in progress as it may */
export type TakeSlot = (request: FastifyRequest, reply: FastifyReply) => void

/**
 * Bounds what one site's expensive requests can cost other sites: their bodies are not even read while
 * others are in progress. A slot is free again when the response ends or the client disconnects.
 */
export const createSiteSlots = (): TakeSlot => {
  const taken = new Map<number, number>()
  return ({ site: { id } }, reply) => {
    const count = taken.get(id) ?? 0
    if (count >= SLOTS)
      throw new Refusal('site_busy', {}, { retryAfterSeconds: RETRY_AFTER_SECONDS })
    taken.set(id, count + 1)
    finished(reply.raw, () => {
      const rest = taken.get(id)! - 1
      if (rest > 0) taken.set(id, rest)
      else taken.delete(id)
    })
  }
}
