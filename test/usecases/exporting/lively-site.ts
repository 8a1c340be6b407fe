import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { DEFAULT_POLICY } from '../../../src/domain/screening/default-policy.ts'
import { openSignOn, signToken } from '../../members.ts'
import { suggest, type TestService } from '../../service.ts'

type Written = { readonly id: string; readonly token: string; readonly article: string }

/** Numbers that look random and are the same in every run. */
const createDice = (seed: number) => {
  let last = seed * 2_654_435_761
  return (sides: number): number => {
    last = (Math.imul(last, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((last / 2 ** 32) * sides)
  }
}

const SITE = '/v1/sites/default'
const ARTICLES = ['a', 'b/c', 'https://example.org/d?e=1']
const STATUSES = ['pending', 'approved', 'spam', 'rejected', 'deleted']

/**
 * Fills the site `default` by random requests of guests, members and staff: whatever a site can have is there.
 * Requests that the service refuses do no harm.
 */
export const fillSite = async (
  service: TestService,
  { seed, acts }: { seed: number; acts: number },
): Promise<void> => {
  const roll = createDice(seed)
  const pick = <T>(all: readonly T[]): T => all[roll(all.length)]!
  const token = service.adminKey
  await openSignOn(service)
  const mod = await signToken({ sub: 'mod', name: 'Grace', role: 'moderator' })
  const members = [mod]
  for (const sub of ['ada', 'mary'])
    members.push(await signToken({ sub, name: `Member ${sub}`, email: `${sub}@example.org` }))
  const written: Written[] = []
  const call = (method: string, path: string, body?: unknown, by = token) =>
    service.call(method, `${SITE}${path}`, {
      token: by,
      body,
      headers: { 'idempotency-key': randomUUID() },
    })
  const post = async (): Promise<void> => {
    const parent = roll(2) === 1 && written.length > 0 ? pick(written) : undefined
    const article = parent?.article ?? pick(ARTICLES)
    const member = roll(2) === 1 ? pick(members) : undefined
    const [title, options] = suggest(`On ${article}`, member ? { token: member } : {})
    const text = pick([
      'Quite so, <b>',
      'buy *pills* at https://x.example',
      'Ünïcode 👍 "said"\n\n> he',
    ])
    const more = { parent_id: parent?.id ?? null, ...(roll(3) === 0 && title) }
    const made = await service
      .post(article, `${text} ${written.length}`, more, options)
      .catch(() => undefined)
    if (made) written.push({ id: made.id, article, token: member ?? made.guest_token })
  }
  const deeds: ((one: Written) => Promise<unknown>)[] = [
    post as () => Promise<void>,
    post as () => Promise<void>,
    post as () => Promise<void>,
    ({ id }) => call('PUT', `/comments/${id}/vote`, { value: pick([1, -1]) }, pick(written).token),
    ({ id }) => call('PUT', `/comments/${id}/vote`, { value: pick([1, -1]) }, pick(members)),
    ({ id }) =>
      call('POST', `/comments/${id}/flags`, { reason: 'spam', note: 'look' }, pick(written).token),
    ({ id, token: own }) => call('PATCH', `/comments/${id}`, { body: `edited ${roll(1e6)}` }, own),
    ({ id }) => call('PATCH', `/comments/${id}`, { body: `moderated ${roll(1e6)}` }),
    ({ id, token: own }) => call('DELETE', `/comments/${id}`, undefined, own),
    ({ id, token: own }) => call('POST', `/comments/${id}/restorations`, {}, own),
    ({ id, token: own }) => call('POST', `/comments/${id}/appeals`, { text: 'but why' }, own),
    async ({ id }) => {
      const from = (await call('GET', `/comments/${id}`)).body?.status
      const revision = (await call('GET', `/comments/${id}`)).body?.revision
      return call(
        'POST',
        `/comments/${id}/decisions`,
        { from, to: pick(STATUSES), revision, reason: 'other', note: 'n' },
        pick([token, mod]),
      )
    },
    ({ id }) => call('PUT', `/comments/${id}/pin`, { pinned: roll(2) === 0 }),
    ({ id }) => call('PUT', `/comments/${id}/lock`, { locked: roll(3) === 0 }),
    ({ id }) => call('POST', `/comments/${id}/moves`, { article_id: pick([...ARTICLES, 'e']) }),
    ({ article }) =>
      call(
        'PATCH',
        `/articles/${encodeURIComponent(article)}`,
        pick([{ state: 'closed' }, { state: 'open' }, { title: 'Told' }, { slow_mode_seconds: 0 }]),
      ),
    () => call('POST', '/articles/a/aliases', { article_id: `old-${roll(5)}` }),
    () => (roll(6) === 0 ? call('POST', '/articles/e/merges', { into: pick(ARTICLES) }) : post()),
    () =>
      call('POST', '/moderation/decisions', {
        comments: [{ id: pick(written).id }, { id: pick(written).id }],
        to: pick(STATUSES),
      }),
    async () => {
      const { body } = await call('GET', '/moderation/decisions')
      return call('POST', `/moderation/decisions/${pick(body.items as { id: string }[])?.id}/undos`)
    },
    async () => {
      const { body } = await call('GET', '/moderation/appeals')
      return call('POST', `/moderation/appeals/${body.items[0]?.id}/answers`, {
        outcome: pick(['upheld', 'overturned']),
        note: 'so',
      })
    },
    async ({ id }) => {
      const author = (await call('GET', `/comments/${id}`)).body?.author?.id
      return call(
        'POST',
        `/authors/${author}/notes`,
        { note: `seen ${roll(100)}` },
        pick([token, mod]),
      )
    },
    async ({ id }) => {
      const author = (await call('GET', `/comments/${id}`)).body?.author?.id
      return call(
        'POST',
        '/moderation/bans',
        pick([
          { kind: 'author', value: author, effect: pick(['hold', 'shadow']), reason: 'spam' },
          { kind: 'email', value: `x${roll(9)}@example.org`, effect: 'block', note: 'no' },
          { kind: 'email_domain', value: `y${roll(9)}.example`, effect: 'hold' },
          { kind: 'network', value: '10.0.0.0/8', effect: 'block' },
        ]),
      )
    },
    async () => {
      const { body } = await call('GET', '/moderation/bans')
      return call('DELETE', `/moderation/bans/${body.items[0]?.id}`)
    },
    () =>
      call('POST', '/moderation/canned-reasons', {
        title: `T${roll(99)}`,
        reason: 'spam',
        note: 'n',
      }),
    () => call('PUT', '/moderation/policy', { policy: DEFAULT_POLICY, note: 'again' }),
    () =>
      call(
        'PATCH',
        '/members/ada',
        pick([{ location: 'Canada' }, { listed: true, roles: ['moderator'] }]),
      ),
    ({ id }) =>
      roll(4) === 0 ? call('POST', `/comments/${id}/redactions`, { reason: 'illegal' }) : post(),
    async ({ id }) => {
      const author = (await call('GET', `/comments/${id}`)).body?.author?.id
      return roll(8) === 0 ? call('DELETE', `/authors/${author}`) : post()
    },
  ]
  while (written.length < 3) await post()
  const judged = await service.post('a', 'a text that a moderator rejects')
  await service.decide(judged.id, 'approved', 'rejected', { reason: 'other' })
  await call('POST', `/comments/${judged.id}/appeals`, { text: 'why?' }, judged.guest_token)
  written.push({ id: judged.id, token: judged.guest_token, article: 'a' })
  for (let act = 0; act < acts; act++) await pick(deeds)(pick(written))
}

/** An id of another system for one author and one comment, as an import leaves them. */
export const rememberForeignIds = async ({ db }: TestService, siteId: number): Promise<void> => {
  await sql`insert into import_origins (site_id, origin) values (${siteId}, 'wordpress:https://blog.example')`.execute(
    db,
  )
  await sql`
    insert into imported_authors (site_id, origin_id, source_id, author_id, profile_hash)
    select ${siteId}, o.id, '7', (select min(id) from authors where site_id = ${siteId}), -9007199254740993
    from import_origins o where o.site_id = ${siteId} and o.origin like 'wordpress:%'`.execute(db)
  await sql`
    insert into imported_comments (site_id, origin_id, source_id, import_id, home_thread_id, comment_id, text_hash,
      status, upvotes, downvotes, pinned)
    select ${siteId}, o.id, '42', 1, coalesce(c.home_thread_id, c.thread_id), c.id, 9007199254740993, 'approved', 3, 1, false
    from import_origins o, (select * from comments where site_id = ${siteId} order by id limit 1) c
    where o.site_id = ${siteId} and o.origin like 'wordpress:%'`.execute(db)
  await sql`
    update comment_tallies k set upvotes = k.upvotes + 3, downvotes = k.downvotes + 1
    where k.site_id = ${siteId} and k.comment_id = (select min(id) from comments where site_id = ${siteId})`.execute(
    db,
  )
}
