import type { FastifyRequest } from 'fastify'
import { Refusal } from '../../domain/refusal.ts'

/** Reads the revision or version that the caller has seen from `If-Match: "3"`; undefined for `*`. */
export const readIfMatch = ({ headers }: FastifyRequest): number | undefined => {
  const header = headers['if-match']
  if (header === undefined || header.trim() === '*') return undefined
  const match = /^"(0|[1-9]\d{0,8})"$/.exec(header.trim())
  if (!match) throw new Refusal('invalid_request', { 'if-match': 'must be a number in quotes' })
  return Number(match[1])
}
