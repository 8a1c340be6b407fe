import { sql } from 'kysely'
import t from 'tap'
import { DEFAULT_POLICY } from '../../src/domain/screening/default-policy.ts'
import { ABSENT, FIRST, IDS } from '../ids.ts'
import { openSignOn, signToken } from '../members.ts'
import { openService, type TestService } from '../service.ts'

/**
 * Every operation with every kind of caller. A cell is the status that the caller gets; where an act
 * would change what the next one finds, it is aimed at something that is not there (404 is then as far
 * as a right can lead).
 */

const SITE = '/v1/sites/default'

const CALLERS = [
  'nobody',
  'guest',
  'member',
  'member of another site',
  'moderator',
  'moderator of another site',
  'owner',
  'admin key',
  'moderate key',
  'read key',
  'admin key of another site',
  'expired key',
  'revoked key',
  'expired member token',
  'guest token of another site',
] as const
type CallerName = (typeof CALLERS)[number]

type Callers = Record<CallerName, string | undefined>

const openCallers = async (service: TestService): Promise<Callers> => {
  await openSignOn(service)
  const body = { slug: 'other', name: 'Other' }
  await service.call('POST', '/v1/sites', { token: service.adminKey, body })
  await openSignOn(service, 'other')
  const other = (await service.sites.find('other'))!
  const now = Math.floor(Date.now() / 1000)
  const [expired, revoked] = [await service.makeKey('admin'), await service.makeKey('admin')]
  await sql`
    update api_keys set expires_at = now() where hash = sha256(${expired}::bytea)`.execute(
    service.db,
  )
  await sql`
    update api_keys set revoked_at = now() where hash = sha256(${revoked}::bytea)`.execute(
    service.db,
  )
  const makeGuest = async (site: string): Promise<string> =>
    (await service.call('POST', `/v1/sites/${site}/guests`, { body: { name: 'Ada' } })).body
      .guest_token
  return {
    nobody: undefined,
    guest: await makeGuest('default'),
    member: await signToken({ sub: 'm', name: 'Mary' }),
    'member of another site': await signToken({ sub: 'm', name: 'Mary', aud: 'other' }),
    moderator: await signToken({ sub: 'mod', name: 'Grace', role: 'moderator' }),
    'moderator of another site': await signToken({
      sub: 'mod',
      name: 'Grace',
      role: 'moderator',
      aud: 'other',
    }),
    owner: await signToken({ sub: 'own', name: 'Olga', role: 'owner' }),
    'admin key': service.adminKey,
    'moderate key': await service.makeKey('moderate'),
    'read key': await service.makeKey('read'),
    'admin key of another site': await service.makeKey('admin', other.id),
    'expired key': expired,
    'revoked key': revoked,
    'expired member token': await signToken({ exp: now - 120 }),
    'guest token of another site': await makeGuest('other'),
  }
}

/** The refusals of callers without a valid credential for the site, for every request. */
const OUTSIDERS: Partial<Record<CallerName, number>> = {
  'member of another site': 401,
  'moderator of another site': 401,
  'admin key of another site': 403,
  'expired key': 401,
  'revoked key': 401,
  'expired member token': 401,
  'guest token of another site': 401,
}

type Row = Partial<Record<CallerName, number>>

/** Operations open to every caller with a valid credential, and to callers without one. */
const all = (status: number): Row =>
  Object.fromEntries(CALLERS.map((name) => [name, OUTSIDERS[name] ?? status]))

/** The same for all but some. */
const but = (row: Row, others: Row): Row => ({ ...row, ...others })

/** Public reads ignore a guest token that counts no more. */
const READING = but(all(200), { 'guest token of another site': 200 })
/** Keys that only read do not write. */
const WRITING = (status: number) => but(all(status), { 'read key': 403 })
const MODERATING = (status: number) =>
  but(all(403), {
    nobody: 401,
    moderator: status,
    owner: status,
    'admin key': status,
    'moderate key': status,
  })
const ADMINISTERING = (status: number) =>
  but(all(403), { nobody: 401, owner: status, 'admin key': status })
/** Operations of the service accept only API keys. */
const SERVING = (status: number): Row => ({
  ...Object.fromEntries(CALLERS.map((name) => [name, 401])),
  'admin key': status,
  'moderate key': 403,
  'read key': 403,
  'admin key of another site': 403,
})
/** Operations of authors on other authors' comments, with an id that does not exist. */
const OPINION = but(all(403), { nobody: 401, guest: 404, member: 404, moderator: 404, owner: 404 })

type Case = { method: string; path: string; body?: object; row: Row }

/** The first author. */
const ADA = IDS.write('author', 1)

const ROWS: Record<string, Case> = {
  getThread: { method: 'GET', path: '/articles/a', row: READING },
  listThread: { method: 'GET', path: '/articles/a/comments', row: READING },
  listReplies: { method: 'GET', path: `/comments/${FIRST}/replies`, row: READING },
  getComment: { method: 'GET', path: `/comments/${FIRST}`, row: READING },
  listRecent: { method: 'GET', path: '/comments', row: READING },
  countComments: { method: 'GET', path: '/counts?article_id=a', row: READING },
  countCommentsOfMany: {
    method: 'POST',
    path: '/counts',
    body: { article_ids: ['a'] },
    row: READING,
  },
  listArticles: { method: 'GET', path: '/articles', row: READING },
  listAuthorComments: { method: 'GET', path: `/authors/${ADA}/comments`, row: READING },
  getSiteConfig: { method: 'GET', path: '/config', row: READING },
  listStaff: { method: 'GET', path: '/staff', row: READING },
  getViewer: { method: 'GET', path: '/articles/a/viewer', row: READING },
  previewComment: { method: 'POST', path: '/preview', body: { body: 'x' }, row: all(200) },
  postComment: {
    method: 'POST',
    path: '/articles/b/comments',
    body: { body: 'x', author: { name: 'Ada' } },
    row: WRITING(201),
  },
  listThreadAsHtml: { method: 'GET', path: '/articles/a/comments.html', row: READING },
  // A form has no caller, and JSON is no form.
  postCommentForm: {
    method: 'POST',
    path: '/articles/a/comments.form',
    body: {},
    row: Object.fromEntries(CALLERS.map((name) => [name, 415])),
  },
  createTransferCode: {
    method: 'POST',
    path: '/guests/transfer',
    row: but(all(403), { nobody: 401, guest: 201 }),
  },
  // A wrong code counts against the network, so this one is malformed.
  redeemTransferCode: {
    method: 'POST',
    path: '/guests/claim',
    body: { code: 'x' },
    row: WRITING(400),
  },
  createGuest: { method: 'POST', path: '/guests', body: { name: 'Ada' }, row: WRITING(201) },
  editComment: {
    method: 'PATCH',
    path: `/comments/${FIRST}`,
    body: { body: 'still x' },
    row: but(MODERATING(200), {}),
  },
  deleteComment: {
    method: 'DELETE',
    path: `/comments/${ABSENT}`,
    row: but(all(404), { nobody: 401, 'read key': 403 }),
  },
  restoreComment: {
    method: 'POST',
    path: `/comments/${ABSENT}/restorations`,
    row: but(all(404), { nobody: 401, 'read key': 403 }),
  },
  voteComment: {
    method: 'PUT',
    path: `/comments/${ABSENT}/vote`,
    body: { value: 1 },
    row: OPINION,
  },
  flagComment: {
    method: 'POST',
    path: `/comments/${ABSENT}/flags`,
    body: { reason: 'spam' },
    row: OPINION,
  },
  getStatement: { method: 'GET', path: `/comments/${ABSENT}/statement`, row: OPINION },
  appealDecision: {
    method: 'POST',
    path: `/comments/${ABSENT}/appeals`,
    body: { text: 'x' },
    row: OPINION,
  },
  getModerationStats: { method: 'GET', path: '/moderation/stats', row: MODERATING(200) },
  listAppeals: { method: 'GET', path: '/moderation/appeals', row: MODERATING(200) },
  answerAppeal: {
    method: 'POST',
    path: '/moderation/appeals/pzzz/answers',
    body: { outcome: 'upheld' },
    row: MODERATING(404),
  },
  listQueue: { method: 'GET', path: '/moderation/comments', row: MODERATING(200) },
  countQueue: { method: 'GET', path: '/moderation/counts', row: MODERATING(200) },
  listDecisions: { method: 'GET', path: '/moderation/decisions', row: MODERATING(200) },
  listRevisions: { method: 'GET', path: `/comments/${FIRST}/revisions`, row: MODERATING(200) },
  decideComment: {
    method: 'POST',
    path: `/comments/${ABSENT}/decisions`,
    body: { from: 'approved', to: 'spam' },
    row: MODERATING(404),
  },
  redactComment: {
    method: 'POST',
    path: `/comments/${ABSENT}/redactions`,
    body: { reason: 'illegal' },
    row: ADMINISTERING(404),
  },
  moveComment: {
    method: 'POST',
    path: `/comments/${ABSENT}/moves`,
    body: { article_id: 'a' },
    row: MODERATING(404),
  },
  mergeThreads: {
    method: 'POST',
    path: '/articles/absent/merges',
    body: { into: 'a' },
    row: MODERATING(404),
  },
  remapArticles: {
    method: 'POST',
    path: '/articles/remaps',
    body: { rules: [], canonical: true, dry_run: true },
    row: ADMINISTERING(200),
  },
  listAliases: { method: 'GET', path: '/articles/absent/aliases', row: ADMINISTERING(200) },
  createAlias: {
    method: 'POST',
    path: '/articles/a/aliases',
    body: { article_id: 'a' },
    row: ADMINISTERING(400),
  },
  deleteAlias: {
    method: 'DELETE',
    path: '/articles/absent/aliases/absent',
    row: ADMINISTERING(404),
  },
  listCannedReasons: { method: 'GET', path: '/moderation/canned-reasons', row: MODERATING(200) },
  createCannedReason: {
    method: 'POST',
    path: '/moderation/canned-reasons',
    body: { title: 'x', reason: 'spam', note: 'x' },
    row: ADMINISTERING(201),
  },
  updateCannedReason: {
    method: 'PATCH',
    path: '/moderation/canned-reasons/rzzz',
    body: { title: 'x' },
    row: ADMINISTERING(404),
  },
  deleteCannedReason: {
    method: 'DELETE',
    path: '/moderation/canned-reasons/rzzz',
    row: ADMINISTERING(404),
  },
  listAuthorNotes: { method: 'GET', path: `/authors/${ADA}/notes`, row: MODERATING(200) },
  addAuthorNote: {
    method: 'POST',
    path: `/authors/${ADA}/notes`,
    body: { note: 'x' },
    row: MODERATING(201),
  },
  decideMany: {
    method: 'POST',
    path: '/moderation/decisions',
    body: { comments: [{ id: ABSENT }], to: 'spam' },
    row: MODERATING(200),
  },
  claimComments: {
    method: 'POST',
    path: '/moderation/claims',
    body: { comment_ids: [ABSENT] },
    row: MODERATING(200),
  },
  releaseClaims: { method: 'DELETE', path: '/moderation/claims', row: MODERATING(204) },
  undoDecision: {
    method: 'POST',
    path: '/moderation/decisions/dzzz/undos',
    row: MODERATING(404),
  },
  listBatches: { method: 'GET', path: '/moderation/batches', row: MODERATING(200) },
  getBatch: { method: 'GET', path: '/moderation/batches/bzzz', row: MODERATING(404) },
  undoBatch: { method: 'POST', path: '/moderation/batches/bzzz/undos', row: MODERATING(404) },
  pinComment: {
    method: 'PUT',
    path: `/comments/${ABSENT}/pin`,
    body: { pinned: true },
    row: MODERATING(404),
  },
  lockComment: {
    method: 'PUT',
    path: `/comments/${ABSENT}/lock`,
    body: { locked: true },
    row: MODERATING(404),
  },
  // Signed by a check, with its own secret; what anybody else sends is no credential for it.
  reportCheck: {
    method: 'POST',
    path: '/checks/own/verdicts',
    body: { comment_id: FIRST, score: 1 },
    row: all(401),
  },
  updateThread: {
    method: 'PATCH',
    path: '/articles/a',
    body: { state: 'open' },
    row: MODERATING(200),
  },
  searchAuthors: { method: 'GET', path: '/moderation/authors', row: MODERATING(200) },
  searchThreads: { method: 'GET', path: '/moderation/threads', row: MODERATING(200) },
  decideThreads: {
    method: 'POST',
    path: '/moderation/threads/decisions',
    body: { threads: [{ article_id: 'absent' }], to: 'closed' },
    row: MODERATING(200),
  },
  deleteThread: {
    method: 'POST',
    path: '/articles/absent/deletions',
    body: { dry_run: true },
    row: ADMINISTERING(404),
  },
  listBans: { method: 'GET', path: '/moderation/bans', row: MODERATING(200) },
  createBan: {
    method: 'POST',
    path: '/moderation/bans',
    body: { kind: 'email', value: 'x@example.org', effect: 'hold' },
    row: MODERATING(201),
  },
  updateBan: {
    method: 'PATCH',
    path: '/moderation/bans/xzzz',
    body: { effect: 'hold' },
    row: MODERATING(404),
  },
  liftBan: { method: 'DELETE', path: '/moderation/bans/xzzz', row: MODERATING(404) },
  listServiceBans: { method: 'GET', path: '/v1/bans', row: SERVING(200) },
  createServiceBan: {
    method: 'POST',
    path: '/v1/bans',
    body: { kind: 'email', value: 'x@example.org', effect: 'hold' },
    row: SERVING(201),
  },
  updateServiceBan: {
    method: 'PATCH',
    path: '/v1/bans/xzzz',
    body: { effect: 'hold' },
    row: SERVING(404),
  },
  liftServiceBan: { method: 'DELETE', path: '/v1/bans/xzzz', row: SERVING(404) },
  getPolicy: { method: 'GET', path: '/moderation/policy', row: MODERATING(200) },
  updatePolicy: {
    method: 'PUT',
    path: '/moderation/policy',
    body: { policy: DEFAULT_POLICY },
    row: ADMINISTERING(200),
  },
  listPolicies: { method: 'GET', path: '/moderation/policies', row: MODERATING(200) },
  getPolicyVersion: { method: 'GET', path: '/moderation/policies/999', row: MODERATING(404) },
  restorePolicy: {
    method: 'POST',
    path: '/moderation/policies/0/restorations',
    body: {},
    row: ADMINISTERING(200),
  },
  getModerationState: { method: 'GET', path: '/moderation/state', row: MODERATING(200) },
  screenComment: {
    method: 'POST',
    path: '/moderation/screenings',
    body: { body: 'x' },
    row: MODERATING(200),
  },
  simulatePolicy: {
    method: 'POST',
    path: '/moderation/simulations',
    body: { policy: DEFAULT_POLICY, days: 1 },
    row: MODERATING(200),
  },
  rejudgePending: {
    method: 'POST',
    path: '/moderation/rejudgements',
    body: {},
    row: ADMINISTERING(202),
  },
  getSite: { method: 'GET', path: '', row: ADMINISTERING(200) },
  updateSite: {
    method: 'PATCH',
    path: '',
    body: { retention_days: 30 },
    row: ADMINISTERING(200),
  },
  searchMembers: { method: 'GET', path: '/members', row: ADMINISTERING(200) },
  getMember: { method: 'GET', path: '/members/nobody', row: ADMINISTERING(404) },
  updateMember: {
    method: 'PATCH',
    path: '/members/m',
    body: { location: 'Canada' },
    row: ADMINISTERING(200),
  },
  listKeys: { method: 'GET', path: '/keys', row: ADMINISTERING(200) },
  createKey: {
    method: 'POST',
    path: '/keys',
    body: { name: 'x', scope: 'read' },
    row: ADMINISTERING(201),
  },
  rotateKey: {
    method: 'POST',
    path: '/keys/kzzz/rotations',
    body: {},
    row: ADMINISTERING(404),
  },
  updateKey: {
    method: 'PATCH',
    path: '/keys/kzzz',
    body: { name: 'x' },
    row: ADMINISTERING(404),
  },
  revokeKey: { method: 'DELETE', path: '/keys/kzzz', row: ADMINISTERING(404) },
  listAudit: { method: 'GET', path: '/audit', row: ADMINISTERING(200) },
  exportAuthor: {
    method: 'GET',
    path: `/authors/${ADA}/export`,
    row: but(ADMINISTERING(200), {}),
  },
  reassignComments: {
    method: 'POST',
    path: `/authors/${ADA}/reassignments`,
    body: { from: 'email' },
    row: ADMINISTERING(404),
  },
  startImport: { method: 'POST', path: '/imports', row: ADMINISTERING(400) },
  listImports: { method: 'GET', path: '/imports', row: ADMINISTERING(200) },
  getImport: { method: 'GET', path: '/imports/izzz', row: ADMINISTERING(404) },
  getImportReport: { method: 'GET', path: '/imports/izzz/report', row: ADMINISTERING(404) },
  cancelImport: { method: 'POST', path: '/imports/izzz/cancel', row: ADMINISTERING(404) },
  exportSite: { method: 'GET', path: '/export', row: ADMINISTERING(200) },
  eraseAuthor: {
    method: 'DELETE',
    path: `/authors/${IDS.write('author', 46_655)}`,
    row: but(all(404), { nobody: 401 }),
  },
  createSite: {
    method: 'POST',
    path: '/v1/sites',
    body: { slug: 'default', name: 'x' },
    row: SERVING(400),
  },
  renameSite: {
    method: 'POST',
    path: '/v1/sites/default/renames',
    body: { slug: 'default' },
    row: {
      ...SERVING(400),
      guest: 403,
      member: 403,
      moderator: 403,
      owner: 403,
    },
  },
  deleteSite: {
    method: 'POST',
    path: '/v1/sites/default/deletions',
    body: { dry_run: true },
    row: { ...SERVING(200), guest: 403, member: 403, moderator: 403, owner: 403 },
  },
  listSites: { method: 'GET', path: '/v1/sites', row: SERVING(200) },
  listServiceKeys: { method: 'GET', path: '/v1/keys', row: SERVING(200) },
  createServiceKey: {
    method: 'POST',
    path: '/v1/keys',
    body: { name: 'x', scope: 'read' },
    row: SERVING(201),
  },
  rotateServiceKey: {
    method: 'POST',
    path: '/v1/keys/kzzz/rotations',
    body: {},
    row: SERVING(404),
  },
  updateServiceKey: {
    method: 'PATCH',
    path: '/v1/keys/kzzz',
    body: { name: 'x' },
    row: SERVING(404),
  },
  revokeServiceKey: { method: 'DELETE', path: '/v1/keys/kzzz', row: SERVING(404) },
  listServiceAudit: { method: 'GET', path: '/v1/audit', row: SERVING(200) },
  getAvatar: {
    method: 'GET',
    path: `/v1/avatars/${ADA}.svg`,
    row: {
      ...SERVING(200),
      nobody: 200,
      'moderate key': 200,
      'read key': 200,
      'admin key of another site': 200,
    },
  },
}

t.test('every operation accepts exactly the kinds of caller with its right', async (t) => {
  const service = await openService(t)
  const { id } = await service.post('a', 'x')
  t.equal(id, FIRST)
  const callers = await openCallers(service)
  for (const [operation, { method, path, body, row }] of Object.entries(ROWS))
    for (const name of CALLERS) {
      const address = path.startsWith('/v1') ? path : `${SITE}${path}`
      const { status, body: answer } = await service.call(method, address, {
        token: callers[name],
        body,
      })
      t.equal(status, row[name], `${operation}, ${name}: ${answer?.code ?? status}`)
      // The errors of pages are pages.
      if (status === 401 && operation !== 'listThreadAsHtml')
        t.equal(answer.code, name === 'nobody' ? 'login_required' : 'invalid_token')
    }
})

t.test('the table of rights has exactly the operations of the API', async (t) => {
  const service = await openService(t)
  const description = await service.call('GET', '/openapi.yaml')
  const all = [...description.text.matchAll(/operationId: (\w+)/g)].map(([, name]) => name!)
  const outside = ['getLiveness', 'getReadiness', 'getMetrics']
  const known = new Set([...Object.keys(ROWS), ...outside])
  t.same(
    all.filter((name) => !known.has(name)),
    [],
  )
  t.same(
    Object.keys(ROWS).filter((name) => !all.includes(name)),
    [],
  )
})
