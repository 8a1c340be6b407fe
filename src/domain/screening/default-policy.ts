import type { Policy } from './policy.ts'

/** Splits a text at its commas. */
const list = (words: string): string[] => words.trim().split(/,\s+/)

/**
 * Version 0 of every site's policy, in which each rule has the mode `record`. Its values never change,
 * because it can judge the same comments again; a new rule can be added. docs/moderation/judging.md explains its values.
 */
export const DEFAULT_POLICY: Policy = {
  rules: {
    role: { mode: 'record', roles: ['contributor', 'moderator', 'owner'] },
    first_comments: { mode: 'record', says: 'pending', approved: 1 },
    rejections: { mode: 'record', says: 'pending', decided: 5, percent: 50 },
    words: {
      mode: 'record',
      pending: list(`
          check out, check this out, please check, please subscribe, subscribe, my channel,
          my music, my page, my website, my blog, my shop, my site, my link, our site,
          vote for, donate, please share, please help, follow me, add me on, text me,
          gift card*, giveaway*, make money, earn money, extra income, investor*, forex,
          weight loss, lose weight, discount*, cheap, promo code*, coupon*, click`),
      spam: list(`
          check out my, check out our, check my, visit my, visit our, subscribe to my,
          subscribe to me, subscribe my, sub to my, sub me, sub for sub, sub 4 sub,
          sub4sub, like for like, follow for follow, followers free, buy followers,
          click here, click this link, click the link, make money online,
          make money from home, work from home, working from home, earn * online,
          get paid to, free money, free gift card*, payday loan*, online casino*,
          casino bonus*, sports betting, viagra, cialis, online pharmacy,
          without prescription, diet pill*, replica watch*, essay writing service*,
          seo service*, backlinks, web traffic, bitcoin giveaway*, crypto giveaway*,
          recover your funds, whatsapp me, escort service*, live cam*, sex cam*,
          hot singles, porn*`),
      rejected: [],
    },
    links: { mode: 'record', says: 'pending', max: 3 },
    links_of_new: { mode: 'record', says: 'pending', approved: 1 },
    link_domains: { mode: 'record', says: 'spam', allow: [], block: [] },
    repeats: { mode: 'record', says: 'pending', same: 1, near: 2 },
    thread_flood: { mode: 'record', says: 'pending', max: 60 },
    network_flood: { mode: 'record', says: 'pending', max: 20 },
    site_flood: { mode: 'record', says: 'pending', max: 300, minutes: 15 },
    length: { mode: 'record', says: 'pending', min: 2, max: 8_000 },
    shouting: { mode: 'record', says: 'pending', percent: 70, letters: 20 },
    disposable_email: {
      mode: 'record',
      says: 'pending',
      domains: list(`
          10minutemail.com, dispostable.com, fakeinbox.com, getairmail.com, getnada.com,
          grr.la, guerrillamail.com, guerrillamail.info, guerrillamail.net, mailcatch.com,
          maildrop.cc, mailinator.com, mailnesia.com, mintemail.com, mohmal.com,
          mytemp.email, sharklasers.com, spamgourmet.com, temp-mail.org, tempmail.com,
          throwawaymail.com, trashmail.com, trashmail.de, yopmail.com, yopmail.fr`),
    },
    old_threads: { mode: 'record', says: 'pending', days: 365 },
    checks: {},
  },
}
