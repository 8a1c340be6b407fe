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
