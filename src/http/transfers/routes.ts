import { assertMayWrite } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import { createTransferCode, redeemTransferCode } from '../../usecases/people/transfer-guest.ts'
import { presentAuthor } from '../comments/present.ts'
import { Guest } from '../comments/schemas.ts'
import { hashNetwork } from '../edge/addresses.ts'
import { allowWrongTries, type LimitCounters } from '../edge/limits.ts'
import type { Http } from '../edge/request-context.ts'
import { now, sendPrivately } from '../edge/responses.ts'
import { writeGuestToken } from '../wire/guest-tokens.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { hashesOfCode, makeCode, readCode } from './codes.ts'
import { CodeToRedeem, TransferCode } from './schemas.ts'

const CREATE_TRANSFER_CODE = op.operation({
  id: 'createTransferCode',
  tag: 'Posting',
  summary: 'Create a code for another device',
  description:
    'A guest gets a code with which another device becomes the same guest, once and within ten ' +
    'minutes. This device stays signed in. A new code replaces an earlier one.',
  params: object(op.siteParams),
  query: op.NO_QUERY,
  body: op.NO_BODY,
  answers: { 201: ref(TransferCode) },
  credential: 'needed',
  limit: 'sign_on',
})

const REDEEM_TRANSFER_CODE = op.operation({
  id: 'redeemTransferCode',
  tag: 'Posting',
  summary: 'Become the guest of a code',
  description:
    'The device that sends a valid code gets a token of its guest. A code that is wrong, expired or used returns ' +
    '`not_found`; after five of them in an hour a network gets `rate_limited`.',
  params: object(op.siteParams),
  query: op.NO_QUERY,
  body: ref(CodeToRedeem),
  answers: { 200: ref(Guest) },
  credential: 'taken',
  limit: 'sign_on',
})

const WRONG_TRIES = { max: 5, windowMs: 3_600_000 }

type Options = Http & { readonly counters: LimitCounters }

export const addTransferRoutes = (app: Router, { context, keys, counters }: Options): void => {
  app.post('/sites/:site/guests/transfer', CREATE_TRANSFER_CODE, async (request, reply) => {
    const { site, caller } = request
    const code = makeCode()
    const [codeHash] = hashesOfCode(keys().guests, site.id, code)
    const expiresAt = await createTransferCode(context, { site, caller, codeHash: codeHash! })
    return sendPrivately(reply.code(201), { code, expires_at: expiresAt, now: now() })
  })

  app.post('/sites/:site/guests/claim', REDEEM_TRANSFER_CODE, async (request, reply) => {
    const { site, ids } = request
    assertMayWrite(request.caller)
    const code = readCode(request.body.code)
    if (code === undefined)
      throw new Refusal('invalid_request', { '/code': 'must be twelve letters and digits' })
    const codeHashes = hashesOfCode(keys().guests, site.id, code)
    const network = hashNetwork(keys().addresses, request.network).toString('base64url')
    const tries = { ...WRONG_TRIES, key: `transfer:${site.id}:${network}` }
    const guest = await allowWrongTries(counters.writes, tries, () =>
      redeemTransferCode(context, { site, codeHashes }),
    )
    const token = writeGuestToken(keys().guests, { siteId: site.id, ids }, guest.id)
    return sendPrivately(reply, { author: presentAuthor(ids, guest), guest_token: token })
  })
}
