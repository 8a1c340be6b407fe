import type { Role } from '../comment/comment.ts'
import type { Verdict } from './finding.ts'

/** `record`: its opinion is in the trace, and counts for nothing. */
export const MODES = ['off', 'record', 'enforce'] as const
export type Mode = (typeof MODES)[number]

type Says = Exclude<Verdict, 'approved'>
type Rule<Parameters> = Readonly<{ mode: Mode } & Parameters>
type Strict<Parameters> = Rule<{ says: Says } & Parameters>

/**
 * What a site's rules look for and what they ask for: data, with a version. The names of the rules are
 * those in traces. `moderation_mode` and `ban` are not here: they follow from the site's settings and
 * its bans, and always count.
 */
export type Policy = {
  readonly rules: {
    /** Publishes what these write, whatever other rules say. */
    readonly role: Rule<{ roles: readonly Role[] }>
    /** Until so many comments of the author were approved. */
    readonly first_comments: Strict<{ approved: number }>
    /** Of an author of whom so many were decided lately, and so many of a hundred turned down. */
    readonly rejections: Strict<{ decided: number; percent: number }>
    /** `*` stands for any letters and digits of a word. */
    readonly words: Rule<{
      pending: readonly string[]
      spam: readonly string[]
      rejected: readonly string[]
    }>
    readonly links: Strict<{ max: number }>
    /** Any link, until so many comments of the author were approved. */
    readonly links_of_new: Strict<{ approved: number }>
    /** Domains with all below them. Links to `allow` count in no rule. */
    readonly link_domains: Strict<{ allow: readonly string[]; block: readonly string[] }>
    /** So many others with the same text in a day, or with nearly the same. */
    readonly repeats: Strict<{ same: number; near: number }>
    /** More than so many in a minute. */
    readonly thread_flood: Strict<{ max: number }>
    readonly network_flood: Strict<{ max: number }>
    /** More than so many in a minute on the site: everything is held from then on for `minutes`. */
    readonly site_flood: Strict<{ max: number; minutes: number }>
    /** In code points. */
    readonly length: Strict<{ min: number; max: number }>
    /** So many capitals of a hundred letters, in a text of at least `letters`. */
    readonly shouting: Strict<{ percent: number; letters: number }>
    readonly disposable_email: Strict<{ domains: readonly string[] }>
    readonly old_threads: Strict<{ days: number }>
    /**
     * Services outside, by name; `at`: from this score (0 to 1) on. Hold: when one that is asked does
     * not answer. The names are those of the site's checks.
     */
    readonly checks: Readonly<Record<string, Strict<{ at: number; on_failure: 'ignore' | 'hold' }>>>
  }
}
