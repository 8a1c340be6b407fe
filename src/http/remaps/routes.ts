import type { Static } from 'typebox'
import type { Remap } from '../../domain/comment/article-address.ts'
import { assertScope } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import {
  dryRunRemap,
  type RemapDryRun as Found,
  remapArticles,
} from '../../usecases/moving/remap-articles.ts'
import { presentBatch } from '../batches/present.ts'
import { Batch } from '../batches/schemas.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately, sendWrite } from '../edge/responses.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { NewRemap, RemapDryRun } from './schemas.ts'

const REMAP_ARTICLES = op.operation({
  id: 'remapArticles',
  tag: 'Administration',
  summary: "Change a site's article ids",
  description:
    'Administrators may give all threads other ids, by rules with prefixes and in the canonical form. Each former ' +
    'id becomes an alias, and two threads that get one id are merged. A dry run returns the effects (200); ' +
    'otherwise a batch does it (202).',
  params: object(op.siteParams),
  query: op.NO_QUERY,
  body: ref(NewRemap),
  answers: { 200: ref(RemapDryRun), 202: ref(Batch) },
  credential: 'needed',
  limit: 'write',
  once: true,
})

export const addRemapRoutes = (app: Router, { context }: Http): void => {
  app.post('/sites/:site/articles/remaps', REMAP_ARTICLES, async (request, reply) => {
    const { site, ids, caller: administrator, body } = request
    assertScope(administrator, 'admin')
    const remap = readRemap(body)
    if (body.dry_run)
      return sendPrivately(reply, presentEffects(await dryRunRemap(context, { site, remap })))
    const act = { site, administrator, remap, idempotencyKey: readIdempotencyKey(request) }
    const answer = await remapArticles(context, act, (batch) => ({
      status: 202,
      headers: {},
      body: presentBatch(ids, batch),
    }))
    return sendWrite(reply, answer)
  })
}

const readRemap = ({ rules, canonical = false }: Static<typeof NewRemap>): Remap => {
  if (rules.length === 0 && !canonical)
    throw new Refusal('invalid_request', {
      '/rules': 'must have a rule, or canonical must be true',
    })
  return {
    rules: rules.map((rule) => ({ fromPrefix: rule.from_prefix, toPrefix: rule.to_prefix })),
    isCanonical: canonical,
  }
}

const presentEffects = ({ threads, effects, items, isComplete }: Found) => ({
  threads,
  is_complete: isComplete,
  renamed: effects.renamed,
  merged: effects.merged,
  aliases: effects.alias,
  items: items.map(({ articleId, to, effect }) => ({ article_id: articleId, to, effect })),
})
