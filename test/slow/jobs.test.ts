import { sql } from 'kysely'
import t from 'tap'
import { openService, type TestService } from '../service.ts'
import { start, until } from '../start.ts'

/** Networks have a share of votes and flags only where there are limits. */
const LIMITED = { limits: { read: 0, write: 1_000 } }
const SITE = '/v1/sites/default'
const SECRET = 'a secret that both nodes are given'

const addresses = async (service: TestService): Promise<Record<string, number>> => {
  const { rows } = await sql<Record<string, string>>`
    select (select count(address_hash) from comment_addresses) as comments,
      (select count(network) from comment_addresses) as networks,
      (select count(*) from votes where address_hash is not null) as votes,
      (select count(*) from flags where address_hash is not null) as flags`.execute(service.db)
  return Object.fromEntries(Object.entries(rows[0]!).map(([name, count]) => [name, Number(count)]))
}

const leaveAddresses = async (service: TestService) => {
  const { id } = await service.post('a', 'x')
  const { guest_token: token } = await service.post('a', 'y')
  await service.call('PUT', `${SITE}/comments/${id}/vote`, { token, body: { value: 1 } })
  await service.call('POST', `${SITE}/comments/${id}/flags`, { token, body: { reason: 'spam' } })
}

t.test('a running service applies the retention by itself', async (t) => {
  const service = await openService(t, LIMITED)
  await leaveAddresses(service)
  await sql`update sites set retention_days = 0`.execute(service.db)
  const nodes = [1, 2].map(() => start(t, { DATABASE_URL: service.url, AFTERWORD_SECRET: SECRET }))
  await until('for the addresses to go', async () => {
    const left = await addresses(service)
    return Object.values(left).every((count) => count === 0)
  })
  t.same(await Promise.all(nodes.map((node) => node.ready().then(() => node.stop()))), [0, 0])
})
