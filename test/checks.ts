import { createHmac } from 'node:crypto'
import { sql } from 'kysely'
import type { Test } from 'tap'
import { DEFAULT_POLICY } from '../src/domain/screening/default-policy.ts'
import type { Policy } from '../src/domain/screening/policy.ts'
import { storedChecks } from '../src/postgres/screening/stored-judgements.ts'
import { type Answering, LOOPBACK, openCheckServer } from './clients/checks-server.ts'
import { IDS } from './ids.ts'
import { type Answer, openService, type TestService } from './service.ts'

export const SITE = '/v1/sites/default'
export const SECRET = 'the-secret-of-a-check-32-characters'
export const API_KEY = 'the-api-key-of-akismet'

type Rule = Policy['rules']['checks'][string]

/** Turns away from a half on, and holds what fails. */
export const STRICT: Rule = { mode: 'enforce', says: 'spam', at: 0.5, on_failure: 'hold' }

/** A service with an external check, which the test tells how to behave. */
export const openChecked = async (t: Test, answering: Answering) => {
  const server = await openCheckServer(t, answering)
  const service = await openService(t, { outbound: { allowedNetworks: LOOPBACK, ca: server.ca } })
  return { service, server, state: server.state }
}

export const own = (url: string, more: object = {}) => ({
  name: 'own',
  kind: 'http',
  url: `${url}/own`,
  secret: SECRET,
  ...more,
})

export const akismet = (url: string, more: object = {}) => ({
  name: 'akismet',
  kind: 'akismet',
  url: `${url}/1.1`,
  secret: API_KEY,
  site_url: 'https://blog.example',
  ...more,
})

/** Gives the site checks, and a policy that says what each of them is for. */
export const setChecks = async (
  service: TestService,
  checks: object[],
  rules: Record<string, Rule> = {},
): Promise<void> => {
  const changed = await service.call('PATCH', SITE, { token: service.adminKey, body: { checks } })
  if (changed.status !== 200) throw new Error(changed.text)
  const policy: Policy = { rules: { ...DEFAULT_POLICY.rules, checks: rules } }
  await sql`
    with made as (
      insert into policies (site_id, version, policy, made_by, made_at)
      select id, policy_version + 1, ${JSON.stringify(policy)}::jsonb, 'k1', now()
      from sites where slug = 'default' returning site_id, version
    )
    update sites set policy_version = made.version from made where id = made.site_id`.execute(
    service.db,
  )
  service.sites.forget('default')
}

/** As the moderators see it. */
export const seen = async (service: TestService, id: string): Promise<Record<string, any>> => {
  const statuses = ['pending', 'approved', 'spam', 'rejected', 'deleted']
  const query = statuses.map((status) => `status=${status}`).join('&')
  const { items } = (
    await service.get(`/moderation/comments?${query}&limit=100`, { token: service.adminKey })
  ).body
  return items.find((item: { id: string }) => item.id === id)
}

export const factsOf = async (service: TestService, id: string): Promise<Record<string, any>> =>
  (await judgementOf(service, id)).checks

export const riskOf = async (service: TestService, id: string): Promise<number> =>
  (await judgementOf(service, id)).risk

const judgementOf = async (service: TestService, id: string) => {
  const commentId = IDS.readComment(id)!.id
  const { rows } = await sql<{ checks: Record<string, any>; risk: number }>`
    select ${storedChecks} as checks, risk from comments c where id = ${commentId}`.execute(
    service.db,
  )
  return rows[0]!
}

/** The callback that a check sends with its late verdict. */
export const callBack = (
  service: TestService,
  body: object,
  { name = 'own', secret = SECRET, at = Date.now() / 1000, path = '', headers = {} } = {},
): Promise<Answer> => {
  const to = `${SITE}/checks/${name}/verdicts`
  const text = JSON.stringify(body)
  const timestamp = String(Math.floor(at))
  const signature = createHmac('sha256', secret)
    .update(`${timestamp}.${path || to}.${text}`)
    .digest('hex')
  const signed = { 'afterword-timestamp': timestamp, 'afterword-signature': signature }
  return service.call('POST', to, { body, headers: { ...signed, ...headers } })
}
