import type { Check, Checks } from '../domain/site/check.ts'
import { askAkismet, reportToAkismet } from './akismet.ts'
import { type Breaker, createBreaker } from './breaker.ts'
import type { GuardedRequest } from './guarded-request.ts'
import { reasonOf } from './outcome.ts'
import { askSignedCheck, isFromSignedCheck } from './signed-check.ts'

/** The services outside that sites ask, each with a breaker of its own on this node. */
export const createChecks = ({
  request,
  breaker = createBreaker(),
}: {
  request: GuardedRequest
  breaker?: Breaker
}): Checks => ({
  ask: async (check, question) => {
    const ask = () =>
      check.kind === 'akismet'
        ? askAkismet(request, check, question)
        : askSignedCheck(request, check, question)
    try {
      return await breaker(nameOf(check, question.site), ask)
    } catch (error) {
      return { state: 'failed', why: reasonOf(error) }
    }
  },
  report: async (check, question, isSpam) => {
    if (check.kind === 'akismet') await reportToAkismet(request, check, { question, isSpam })
  },
  isFrom: (check, signed) => check.kind === 'http' && isFromSignedCheck(check, signed),
})

/** With another address it is another service. */
const nameOf = ({ name, url }: Check, site: string): string => JSON.stringify([site, name, url])
