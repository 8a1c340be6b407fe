import type { Site } from '../../domain/site.ts'
import type { Claim } from '../../postgres/idempotency.ts'
import { updateSite as changeSite, type SiteChange } from '../../postgres/sites.ts'
import { answerOnce } from '../answer-once.ts'
import type { World } from '../world.ts'

/** Changes a site's settings. Other nodes know of it within a second; writes there at once. */
export const updateSite = async <Answer>(
  world: World,
  request: { site: Site; change: SiteChange; claim: Claim | undefined },
  present: (site: Site) => Answer,
): Promise<Answer> => {
  const answer = await answerOnce(world, request.claim, async (tx) =>
    present(await changeSite(tx, request.site.id, request.change)),
  )
  world.sites.forget(request.site.slug)
  return answer
}
