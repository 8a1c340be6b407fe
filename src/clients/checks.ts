import { type Breaker, createBreaker } from '../domain/breaker.ts'
import type { Check, CheckFact, Checks } from '../domain/site/check.ts'
import { askAkismet, reportToAkismet } from './akismet.ts'
import type { GuardedRequest } from './guarded-request.ts'
import { reasonOf } from './outcome.ts'
import { askSignedCheck, isFromSignedCheck } from './signed-check.ts'

const FAILURES = 5
const PAUSE_MS = 30_000

/** External checks. This node pauses a check that fails repeatedly. */
export const createChecks = ({
  request,
  onAnswer,
  breaker = createBreaker({
    failures: FAILURES,
    pauseMs: PAUSE_MS,
    now: () => performance.now(),
  }),
}: {
  request: GuardedRequest
  onAnswer?: (kind: Check['kind'], outcome: CheckFact['state']) => void
  breaker?: Breaker
}): Checks => ({
  ask: async (check, input) => {
    const ask = () =>
      check.kind === 'akismet'
        ? askAkismet(request, check, input)
        : askSignedCheck(request, check, input)
    const fact = await breaker(nameOf(check, input.site), ask).catch(toFailure)
    onAnswer?.(check.kind, fact.state)
    return fact
  },
  report: async (check, input, isSpam) => {
    if (check.kind === 'akismet') await reportToAkismet(request, check, { input, isSpam })
  },
  isFrom: (check, signed) => check.kind === 'http' && isFromSignedCheck(check, signed),
})

const toFailure = (error: unknown): CheckFact => ({ state: 'failed', why: reasonOf(error) })

/** A check with another address is another service, without failures. */
const nameOf = ({ name, url }: Check, site: string): string => JSON.stringify([site, name, url])
