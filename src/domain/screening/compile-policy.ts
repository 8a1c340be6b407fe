import type { Draft, Facts } from './facts.ts'
import { combine, type Finding, riskOf, type Verdict } from './finding.ts'
import { findLinks, type Link } from './links.ts'
import type { Mode, Policy } from './policy.ts'
import { firstComments, rejections, role } from './rules/authors.ts'
import { check } from './rules/checks.ts'
import { disposableEmail } from './rules/disposable-email.ts'
import { networkFlood, siteFlood, threadFlood } from './rules/floods.ts'
import { length } from './rules/length.ts'
import { linkDomains, links, linksOfNew } from './rules/links.ts'
import { oldThreads } from './rules/old-threads.ts'
import { repeats } from './rules/repeats.ts'
import type { DraftLinks, RuleFunction } from './rules/rule.ts'
import { ban, moderationMode } from './rules/settings.ts'
import { shouting } from './rules/shouting.ts'
import { words } from './rules/words.ts'

export type Judgement = {
  readonly verdict: Verdict
  readonly risk: number
  readonly trace: readonly Finding[]
}

/** A policy made ready: immutable, fast, and worth keeping. */
export type CompiledPolicy = (draft: Draft, facts: Facts) => Judgement

type Rules = Policy['rules']
type Name = Exclude<keyof Rules, 'checks'>
type Asked = { readonly name: string; readonly counts: boolean; readonly judge: RuleFunction }

/** What follows from the site's settings and its bans always counts. */
const ALWAYS: readonly Asked[] = [
  { name: 'moderation_mode', counts: true, judge: moderationMode },
  { name: 'ban', counts: true, judge: ban },
]

/** In the order of a trace. */
const RULES: { readonly [N in Name]: (rule: Required<Rules>[N], rules: Rules) => RuleFunction } = {
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
const NAMES = Object.keys(RULES) as Name[]

/** Takes a second or two for the longest lists of words; then each comment is judged at once. */
export const compilePolicy = ({ rules }: Policy): CompiledPolicy => {
  const asked = [
    ...ALWAYS,
    // A version from before the rule existed lacks it.
    ...NAMES.flatMap((name) =>
      ask(name, rules[name]?.mode ?? 'off', () => compileRule(rules, name)),
    ),
    ...Object.entries(rules.checks).flatMap(([name, rule]) =>
      ask(`checks.${name}`, rule.mode, () => check(name, rule)),
    ),
  ]
  return (draft, facts) => {
    const seen = seeOnce(draft)
    const unnamed = Object.keys(facts.checks).filter((name) => !Object.hasOwn(rules.checks, name))
    const all = unnamed.length === 0 ? asked : [...asked, ...unnamed.map(record)]
    const trace = all.flatMap(({ name, counts, judge }): Finding[] => {
      const said = judge(draft, facts, seen)
      return said ? [{ rule: name, counts, ...said }] : []
    })
    return { verdict: combine(trace), risk: riskOf(trace), trace }
  }
}

/** What a service says that the policy does not know is recorded, and counts for nothing. */
const record = (name: string): Asked => {
  const rule = { mode: 'record', says: 'spam', at: 0.5, on_failure: 'ignore' } as const
  return { name: `checks.${name}`, counts: false, judge: check(name, rule) }
}

/** Asks every rule. Same input, same judgement; the trace alone says why. */
export const judgeDraft = (draft: Draft, facts: Facts, policy: Policy): Judgement =>
  compilePolicy(policy)(draft, facts)

const seeOnce = ({ body }: Draft): DraftLinks => {
  let links: readonly Link[] | undefined
  return {
    links: () => {
      links ??= findLinks(body)
      return links
    },
  }
}

const ask = (name: string, mode: Mode, compile: () => RuleFunction): Asked[] =>
  mode === 'off' ? [] : [{ name, counts: mode === 'enforce', judge: compile() }]

const compileRule = <N extends Name>(rules: Rules, name: N): RuleFunction =>
  RULES[name]((rules as Required<Rules>)[name], rules)
