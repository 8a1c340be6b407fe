import { sql } from 'kysely'
import t from 'tap'
import { openSignOn, signToken } from '../members.ts'
import { openService, type TestService } from '../service.ts'
import { said } from './moderator.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'

/** Reads a list as the caller of a token. */
const openSearch = (service: TestService, path: string, token: string) => {
  const search = (query = '') => service.get(`${path}${query}`, { token })
  const found = async (query?: string): Promise<string[]> =>
    (await search(query)).body.items.map((item: Json) => (item.author ?? item).name)
  return { search, found }
}

t.test('searchMembers', async (t) => {
  const service = await openService(t)
  await openSignOn(service)
  const { search, found } = openSearch(service, '/members', service.adminKey)
  const change = (subject: string, body: Json) =>
    service.call('PATCH', `${SITE}/members/${subject}`, { token: service.adminKey, body })
  await service.post('a', 'a guest is no member')
  await service.post('a', 'nor is a key', {}, { token: service.adminKey, headers: {} })
  const email = 'ada@example.org'
  await service.post('a', 'of a member', {}, { token: await signToken({ email }) })
  await change('grace', { name: 'Grace %', roles: ['moderator'] })
  await change('edith', { name: 'Édith', suspended: true })

  t.test('searchMembers lists members with their rights, latest first', async (t) => {
    t.match((await search()).body, {
      items: [
        { author: { name: 'Édith' }, subject: 'edith', suspended_at: String },
        {
          author: { name: 'Grace %', role: 'moderator' },
          roles: ['moderator'],
          signed_on_at: null,
        },
        { author: { name: 'Ada Member' }, subject: 'ada', email, signed_on_at: String },
      ],
      next_cursor: null,
    })
  })

  t.test('searchMembers finds members by name, role and suspension', async (t) => {
    t.same(await found('?name=ada'), ['Ada Member'])
    t.same(await found('?name=member'), [])
    t.same(await found('?q=MEMBER'), ['Ada Member'])
    t.same(await found('?q=%25'), ['Grace %'])
    t.same(await found('?name=%C3%A9d'), ['Édith'])
    t.same(await found('?role=moderator'), ['Grace %'])
    t.same(await found('?role=reader'), ['Édith', 'Ada Member'])
    t.same(await found('?suspended=true'), ['Édith'])
    t.same(await found('?suspended=false&name=g'), ['Grace %'])
  })

  t.test('searchMembers refuses unknown filters and cursors of other lists', async (t) => {
    t.equal(said(await search('?role=king')), '400 invalid_request')
    t.equal(said(await search('?suspended=perhaps')), '400 invalid_request')
    t.equal(said(await search('?name=')), '400 invalid_request')
    const { next_cursor: cursor } = (await search('?limit=1')).body
    t.same(await found(`?limit=2&cursor=${cursor}`), ['Grace %', 'Ada Member'])
    t.equal(said(await search(`?cursor=${cursor}&role=reader`)), '400 invalid_cursor')
    t.equal(said(await service.get(`/staff?cursor=${cursor}`)), '400 invalid_cursor')
  })

  t.test('searchMembers does not list a member who is erased', async (t) => {
    const { id } = (await search('?name=grace')).body.items[0].author
    await service.call('DELETE', `${SITE}/authors/${id}`, { token: service.adminKey })
    t.same(await found(), ['Édith', 'Ada Member'])
  })
})

t.test('searchAuthors', async (t) => {
  const service = await openService(t, { trustedProxies: ['127.0.0.1'] })
  await openSignOn(service)
  const moderator = await service.makeKey('moderate', 1)
  const { search, found } = openSearch(service, '/moderation/authors', moderator)
  const post = async (name: string, more: Json, from: string, token?: string): Promise<Json> => {
    const author = token ? {} : { author: { name, ...more } }
    const call = { headers: { 'x-forwarded-for': from }, ...(token && { token }) }
    return service.post('a', `by ${name} ${from}`, author, call)
  }
  const bob = await post('Bob', { email: 'Bob@Example.org' }, '203.0.113.9')
  const eve = await post('Eve', {}, '2001:db8:1:2::3')
  await post('Ada Member', {}, '203.0.113.77', await signToken({ email: 'ada@example.org' }))
  const mallory = await post('Mallory', {}, '198.51.100.1')
  await post('Mallory', {}, '203.0.114.5', mallory.guest_token)
  const ban = { kind: 'author', value: eve.author.id, effect: 'hold' }
  const { body: made } = await service.call('POST', `${SITE}/moderation/bans`, {
    token: moderator,
    body: ban,
  })
  await service.decide(mallory.id, 'approved', 'spam')

  t.test('searchAuthors shows guests and members, and no subject', async (t) => {
    const { body, text } = await search()
    t.match(body.items, [
      {
        author: { name: 'Mallory', kind: 'guest' },
        network: '203.0.114.0/24',
        comment_count: 1,
        rejected_count: 1,
      },
      { author: { name: 'Ada Member', kind: 'member' }, email: 'ada@example.org', banned: false },
      { author: { name: 'Eve' }, network: '2001:db8:1::/48', banned: true, suspended_at: null },
      { author: { name: 'Bob' }, email: 'Bob@Example.org', comment_count: 1, rejected_count: 0 },
    ])
    t.notMatch(text, /subject/)
    const { created_at: createdAt, last_seen_at: lastSeenAt } = body.items[0]
    t.ok(lastSeenAt > createdAt)
  })

  t.test('searchAuthors finds authors by name, e-mail, network, kind and ban', async (t) => {
    t.same(await found('?name=EV'), ['Eve'])
    t.same(await found('?q=o'), ['Mallory', 'Bob'])
    t.same(await found(`?author_id=${bob.author.id}`), ['Bob'])
    t.same(await found('?author_id=azzz'), [])
    t.same(await found('?kind=member'), ['Ada Member'])
    t.same(await found('?email=bob@example.ORG'), ['Bob'])
    t.same(await found('?email=example.org'), [])
    t.same(await found('?network=203.0.113.9'), ['Ada Member', 'Bob'])
    t.same(await found('?network=203.0.112.0/22'), ['Mallory', 'Ada Member', 'Bob'])
    t.same(await found('?network=198.51.100.0/24'), ['Mallory'])
    t.same(await found('?network=2001:db8:1:ffff::/64'), ['Eve'])
    t.same(await found('?network=192.0.2.1'), [])
    t.same(await found('?banned=true'), ['Eve'])
    t.same(await found('?banned=false&name=b'), ['Bob'])
  })

  t.test('searchAuthors refuses odd networks and cursors of other lists', async (t) => {
    t.equal(said(await search('?network=here')), '400 invalid_request')
    t.equal(said(await search('?network=0.0.0.0/0')), '400 invalid_request')
    t.equal(said(await search('?kind=robot')), '400 invalid_request')
    const { next_cursor: cursor } = (await search('?limit=1')).body
    t.same(await found(`?limit=1&cursor=${cursor}`), ['Ada Member'])
    t.equal(said(await search(`?cursor=${cursor}&banned=false`)), '400 invalid_cursor')
    const members = await service.get(`/members?cursor=${cursor}`, { token: service.adminKey })
    t.equal(said(members), '400 invalid_cursor')
  })

  t.test('searchAuthors forgets lifted bans, erased authors and expired addresses', async (t) => {
    await service.call('DELETE', `${SITE}/moderation/bans/${made.id}`, { token: moderator })
    t.same(await found('?banned=true'), [])
    await service.call('DELETE', `${SITE}/authors/${bob.author.id}`, { token: service.adminKey })
    t.same(await found('?email=bob@example.org'), [])
    t.same(await found('?network=203.0.113.9'), ['Ada Member'])
    await sql`delete from comment_addresses`.execute(service.db)
    t.same(await found('?network=203.0.113.9'), [])
    t.match((await search()).body.items[0], { network: null, last_seen_at: String })
  })
})
