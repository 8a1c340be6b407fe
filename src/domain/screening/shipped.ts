import type { Policy } from './policy.ts'

/**
 * What a site begins with: version 0 of its policy. Every rule only records, until somebody turns it on.
 * Comments were judged by it and are judged again by it: it never changes. Its figures are explained in
 * docs/moderation.md.
 */
export const SHIPPED_POLICY: Policy = {
  rules: {
    role: { mode: 'record', roles: ['contributor', 'moderator', 'owner'] },
    first_comments: { mode: 'record', says: 'pending', approved: 1 },
    rejections: { mode: 'record', says: 'pending', decided: 5, percent: 50 },
    words: { mode: 'record', pending: [], spam: [], rejected: [] },
    links: { mode: 'record', says: 'pending', max: 3 },
    links_of_new: { mode: 'record', says: 'pending', approved: 1 },
    link_domains: { mode: 'record', says: 'spam', allow: [], block: [] },
    repeats: { mode: 'record', says: 'pending', same: 1, near: 2 },
    thread_flood: { mode: 'record', says: 'pending', max: 60 },
    network_flood: { mode: 'record', says: 'pending', max: 20 },
    site_flood: { mode: 'record', says: 'pending', max: 300, minutes: 15 },
    length: { mode: 'record', says: 'pending', min: 2, max: 8_000 },
    shouting: { mode: 'record', says: 'pending', percent: 70, letters: 20 },
    disposable_email: { mode: 'record', says: 'pending', domains: [] },
    old_threads: { mode: 'record', says: 'pending', days: 365 },
    checks: {},
  },
}
