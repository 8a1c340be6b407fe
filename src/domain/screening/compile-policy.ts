import type { Draft, Facts } from './facts.ts'
import { combine, type Finding, riskOf, type Verdict } from './finding.ts'
import type { Mode, Policy } from './policy.ts'
import { preparePolicy } from './prepare-policy.ts'
import type { PreparedPolicy, PreparedRules } from './prepared-policy.ts'
import { firstComments, rejections, role } from './rules/authors.ts'
import { check } from './rules/checks.ts'
import { disposableEmail } from './rules/disposable-email.ts'
import { networkFlood, siteFlood, threadFlood } from './rules/floods.ts'
import { length } from './rules/length.ts'
import { linkDomains, links, linksOfNew } from './rules/links.ts'
import { oldThreads } from './rules/old-threads.ts'
import { repeats } from './rules/repeats.ts'
import type { RuleFunction } from './rules/rule.ts'
import { ban, moderationMode } from './rules/settings.ts'
import { shouting } from './rules/shouting.ts'
import { words } from './rules/words.ts'

export type Judgement = {
  readonly verdict: Verdict
  readonly risk: number
  readonly trace: readonly Finding[]
}

/** A policy ready to judge: immutable, and worth caching. */
export type CompiledPolicy = (draft: Draft, facts: Facts) => Judgement

type Rules = PreparedRules
type RuleName = Exclude<keyof Rules, 'checks'>
type CompiledRule = {
  readonly name: string
  readonly counts: boolean
  readonly judge: RuleFunction
}

/** Rules from the site's settings and its bans are always enforced. */
const ALWAYS: readonly CompiledRule[] = [
  { name: 'moderation_mode', counts: true, judge: moderationMode },
  { name: 'ban', counts: true, judge: ban },
]

/** In the order of findings in a trace. */
const RULES: {
  readonly [N in RuleName]: (rule: Required<Rules>[N], rules: Rules) => RuleFunction
} = {
  role,
  first_comments: firstComments,
  rejections,
  words,
  links,
  links_of_new: linksOfNew,
  link_domains: linkDomains,
  repeats,
  thread_flood: threadFlood,
  network_flood: networkFlood,
  site_flood: siteFlood,
  length,
  shouting,
  disposable_email: disposableEmail,
  old_threads: oldThreads,
}
const NAMES = Object.keys(RULES) as RuleName[]

/** The names of all rules that a trace can contain, apart from those of a site's checks. */
export const RULE_NAMES: readonly string[] = [...ALWAYS.map(({ name }) => name), ...NAMES]

/** Compiles a policy in this thread. The longest word lists take seconds. */
export const compilePolicy = (policy: Policy): CompiledPolicy => judgeBy(preparePolicy(policy))

/** Judges by a policy that any thread prepared. Takes microseconds, and judging a comment takes some too. */
export const judgeBy = ({ rules }: PreparedPolicy): CompiledPolicy => {
  const compiled = [
    ...ALWAYS,
    // A version from before the rule existed lacks it.
    ...NAMES.flatMap((name) =>
      compileUnlessOff(name, rules[name]?.mode ?? 'off', () => compileRule(rules, name)),
    ),
    ...Object.entries(rules.checks).flatMap(([name, rule]) =>
      compileUnlessOff(`checks.${name}`, rule.mode, () => check(name, rule)),
    ),
  ]
  return (draft, facts) => {
    const unknownChecks = Object.keys(facts.checks).filter(
      (name) => !Object.hasOwn(rules.checks, name),
    )
    const all =
      unknownChecks.length === 0 ? compiled : [...compiled, ...unknownChecks.map(recordCheck)]
    const trace = all.flatMap(({ name, counts, judge }): Finding[] => {
      const result = judge(draft, facts)
      return result ? [{ rule: name, counts, ...result }] : []
    })
    return { verdict: combine(trace), risk: riskOf(trace), trace }
  }
}

/** A check that the policy does not name is recorded and not enforced. */
const recordCheck = (name: string): CompiledRule => {
  const rule = { mode: 'record', says: 'spam', at: 0.5, on_failure: 'ignore' } as const
  return { name: `checks.${name}`, counts: false, judge: check(name, rule) }
}

/** Runs every rule. The same input always gives the same judgement; the trace alone determines it. */
export const judgeDraft = (draft: Draft, facts: Facts, policy: Policy): Judgement =>
  compilePolicy(policy)(draft, facts)

const compileUnlessOff = (name: string, mode: Mode, compile: () => RuleFunction): CompiledRule[] =>
  mode === 'off' ? [] : [{ name, counts: mode === 'enforce', judge: compile() }]

const compileRule = <N extends RuleName>(rules: Rules, name: N): RuleFunction =>
  RULES[name]((rules as Required<Rules>)[name], rules)
