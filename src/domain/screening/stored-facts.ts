import { ROLES } from '../comment/comment.ts'
import { VERDICTS } from './finding.ts'

/** Whether a value of another service has the form of facts and a trace, so that everything that reads them can. */
export const isJudgement = (facts: unknown, trace: unknown): boolean =>
  isFacts(facts) && Array.isArray(trace) && trace.every(isFinding)

type Fields = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isTime = (value: unknown): boolean =>
  typeof value === 'string' &&
  /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) &&
  !Number.isNaN(Date.parse(value))
const isTimeOrNull = (value: unknown): boolean => value === null || isTime(value)
const isMode = (value: unknown): boolean => value === 'post' || value === 'pre'
const areNumbers = (value: unknown, names: readonly string[]): boolean =>
  isObject(value) && names.every((name) => typeof value[name] === 'number')

const isFacts = (facts: unknown): boolean =>
  isObject(facts) &&
  isTime(facts.at) &&
  isMode(facts.siteModeration) &&
  (facts.threadModeration === null || isMode(facts.threadModeration)) &&
  isAuthor(facts.author) &&
  isTimeOrNull(facts.threadSince) &&
  areNumbers(facts.repeats, ['same', 'near']) &&
  areNumbers(facts.arrivals, ['thread', 'site', 'network']) &&
  isTimeOrNull(facts.attackedUntil) &&
  Array.isArray(facts.bans) &&
  facts.bans.every((ban) => isObject(ban) && (ban.effect === 'hold' || ban.effect === 'shadow')) &&
  isObject(facts.checks) &&
  Object.values(facts.checks).every(isCheckFact)

const isAuthor = (author: unknown): boolean =>
  isObject(author) &&
  (author.kind === 'guest' || author.kind === 'member') &&
  (ROLES as readonly unknown[]).includes(author.role) &&
  areNumbers(author, ['approved', 'recentApproved', 'recentRejected']) &&
  (author.emailDomain === null || typeof author.emailDomain === 'string')

const isCheckFact = (fact: unknown): boolean =>
  isObject(fact) &&
  (fact.state === 'asked' ||
    fact.state === 'removed' ||
    (fact.state === 'answered' && typeof fact.score === 'number') ||
    (fact.state === 'failed' && typeof fact.why === 'string'))

const isFinding = (finding: unknown): boolean =>
  isObject(finding) &&
  typeof finding.rule === 'string' &&
  (VERDICTS as readonly unknown[]).includes(finding.says) &&
  typeof finding.evidence === 'string' &&
  (finding.counts === undefined || typeof finding.counts === 'boolean') &&
  (finding.score === undefined || typeof finding.score === 'number') &&
  (finding.found === undefined || (Array.isArray(finding.found) && finding.found.every(isMatch)))

const isMatch = (match: unknown): boolean =>
  isObject(match) &&
  typeof match.text === 'string' &&
  ['body', 'name', 'url', 'title', 'email'].includes(String(match.field)) &&
  Number.isSafeInteger(match.start) &&
  Number.isSafeInteger(match.end) &&
  (match.reading === undefined || match.reading === 'rendered')
