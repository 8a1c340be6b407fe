import { createHmac } from 'node:crypto'
import {
  base64url,
  CompactEncrypt,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWTHeaderParameters,
  SignJWT,
} from 'jose'
import t, { type Test } from 'tap'
import { createGuardedGet } from '../../src/clients/guarded-get.ts'
import { createMemberTokens } from '../../src/clients/member-tokens.ts'
import type { Refusal } from '../../src/domain/refusal.ts'
import { openHttps } from './https-server.ts'

const ISSUER = 'https://example.org'
const SECRET = 'one secret of the site, of 32 characters and more'
const NOW = Math.floor(Date.now() / 1000)
/** The time of the call: a slow machine runs a test long after the file is loaded. */
const secondsNow = (): number => Math.floor(Date.now() / 1000)
const CLAIMS = { sub: 'u1', name: 'Ada', iss: ISSUER, aud: 'blog', iat: NOW, exp: NOW + 600 }
const SHARED = { slug: 'blog', signOn: { issuer: ISSUER, hs256: [{ kid: 'k1', secret: SECRET }] } }

const read = createMemberTokens({
  get: async () => Promise.reject(new Error('nothing is fetched')),
})

type Claims = Record<string, unknown>

const sign = (claims: Claims = {}, header: Partial<JWTHeaderParameters> = {}, secret = SECRET) =>
  new SignJWT({ ...CLAIMS, ...claims })
    .setProtectedHeader({ alg: 'HS256', kid: 'k1', ...header })
    .sign(new TextEncoder().encode(secret))

/** By hand: no library makes what it would refuse. */
const forge = (header: object, claims: object, secret = SECRET): string =>
  forgeText(JSON.stringify(header), JSON.stringify(claims), secret)

const HEADER = '{"alg":"HS256","kid":"k1"}'

const forgeText = (header: string, claims: string, secret = SECRET): string => {
  const text = [header, claims].map((part) => base64url.encode(part)).join('.')
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}

t.test('a valid member token names its member', async (t) => {
  const all = {
    picture: 'https://example.org/a.png',
    url: 'https://ada.example',
    email: 'ada@example.org',
    email_verified: true,
    role: ['owner', 'contributor'],
  }
  t.same(await read(SHARED, await sign(all)), {
    subject: 'u1',
    name: 'Ada',
    url: 'https://ada.example',
    avatarUrl: 'https://example.org/a.png',
    email: 'ada@example.org',
    emailVerified: true,
    roles: ['contributor', 'owner'],
    issuedAt: new Date(NOW * 1000).toISOString(),
  })
  t.match(await read(SHARED, await sign({ role: 'moderator' })), { roles: ['moderator'] })
})

const GOOD: Record<string, () => Promise<string>> = {
  'with nothing but what is needed': () => sign(),
  'that expired 50 s ago, by a clock that goes otherwise': () => sign({ exp: secondsNow() - 50 }),
  'that is from 50 s ahead': () => sign({ iat: secondsNow() + 50 }),
  'that lives 30 days': () => sign({ exp: NOW + 2_592_000 }),
  'for several audiences, this one among them': () => sign({ aud: ['shop', 'blog'] }),
  'with claims that we do not know': () => sign({ groups: ['a'], nonce: 'x' }),
  'whose optional claims are null': () =>
    sign({ email: null, picture: null, url: null, role: null }),
}

for (const [what, make] of Object.entries(GOOD))
  t.test(`a member token ${what} is valid`, async (t) => {
    t.match(await read(SHARED, await make()), { subject: 'u1', name: 'Ada' })
  })

const without = (name: string) => sign({ [name]: undefined })

const FORGED: Record<string, () => Promise<string> | string> = {
  'without a signature': async () => `${(await sign()).split('.').slice(0, 2).join('.')}.`,
  'whose algorithm is none': () =>
    `${base64url.encode('{"alg":"none"}')}.${base64url.encode(JSON.stringify(CLAIMS))}.`,
  'whose algorithm is nOnE': () => forge({ alg: 'nOnE', kid: 'k1' }, CLAIMS),
  'of HS512': () => sign({}, { alg: 'HS512' }),
  'that says RS256 and is of HS256': () => forge({ alg: 'RS256', kid: 'k1' }, CLAIMS),
  'with a signature cut short': async () => (await sign()).slice(0, -2),
  'with another text under the signature': async () => {
    const [head, , signature] = (await sign()).split('.')
    return `${head}.${base64url.encode(JSON.stringify({ ...CLAIMS, sub: 'u2' }))}.${signature}`
  },
  'of another secret': () => sign({}, {}, 'another secret, of 32 characters and more'),
  'of an empty secret': () => forge({ alg: 'HS256', kid: 'k1' }, CLAIMS, ''),
  'without a kid': () => sign({}, { kid: undefined as never }),
  'that lives longer than 30 days': () => sign({ exp: NOW + 2_592_001 }),
  'with a claim twice': () =>
    forgeText(
      HEADER,
      `{"role":"owner",${JSON.stringify(CLAIMS).slice(1)}`.replace('}', ',"role":"reader"}'),
    ),
  'with a claim twice, once in escapes': () =>
    forgeText(HEADER, `{"s\\u0075b":"u2",${JSON.stringify(CLAIMS).slice(1)}`),
  'with a kid twice': () =>
    forgeText('{"alg":"HS256","kid":"k0","kid":"k1"}', JSON.stringify(CLAIMS)),
  'with an unknown kid': () => sign({}, { kid: 'k2' }),
  'with a kid that is a path': () => sign({}, { kid: '../../dev/null' }),
  'with a kid that is SQL': () => sign({}, { kid: "k1' or '1'='1" }),
  'with a kid that is a number': () => forge({ alg: 'HS256', kid: 1 }, CLAIMS),
  'with a kid of a prototype': () => sign({}, { kid: '__proto__' }),
  'with an extension that must be understood': () =>
    forge({ alg: 'HS256', kid: 'k1', crit: ['exp'], exp: NOW }, CLAIMS),
  'whose text is not encoded': () =>
    forge({ alg: 'HS256', kid: 'k1', b64: false, crit: ['b64'] }, CLAIMS),
  'for another site': () => sign({ aud: 'shop' }),
  'for a site whose name begins like this one': () => sign({ aud: 'blog2' }),
  'without an audience': () => without('aud'),
  'of another issuer': () => sign({ iss: 'https://example.org.evil.example' }),
  'without an issuer': () => without('iss'),
  'that expired 70 s ago': () => sign({ exp: NOW - 70 }),
  'that never expires': () => without('exp'),
  'whose end is a text': () => sign({ exp: '2999-01-01' }),
  'that is not good yet': () => sign({ nbf: NOW + 600 }),
  'from the future': () => sign({ iat: NOW + 120 }),
  'made in milliseconds': () => sign({ iat: NOW * 1000 }),
  'made before 1970': () => sign({ iat: -1 }),
  'without a time': () => without('iat'),
  'without a subject': () => without('sub'),
  'whose subject is a number': () => sign({ sub: 7 }),
  'whose subject is empty': () => sign({ sub: '' }),
  'whose subject is too long': () => sign({ sub: 'x'.repeat(256) }),
  'whose subject has a U+0000': () => sign({ sub: 'a\0b' }),
  'of a role that there is not': () => sign({ role: 'admin' }),
  'of the same role twice': () => sign({ role: ['owner', 'owner'] }),
  'of a role in a role': () => sign({ role: [['owner']] }),
  'that is encrypted': () =>
    new CompactEncrypt(new TextEncoder().encode(JSON.stringify(CLAIMS)))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .encrypt(new Uint8Array(32)),
  'that is too long': () => sign({ more: 'x'.repeat(9_000) }),
  'that is no token': () => 'a.b.c',
  'that is empty': () => '',
}

for (const [what, make] of Object.entries(FORGED))
  t.test(`a member token ${what} is refused`, async (t) => {
    await t.rejects(read(SHARED, await make()), { code: 'invalid_token' })
  })

const NAMES: Record<string, [sent: unknown, name: string]> = {
  'with joiners that Persian needs': ['می\u200cخواهم', 'می\u200cخواهم'],
  'that turns the line': ['Ada\u202e Love', 'Ada Love'],
  'with a joiner between Latin letters': ['A\u200dda', 'Ada'],
  'of two lines': ['Ada\nLovelace', 'Ada Lovelace'],
  'that is too long': ['x'.repeat(100), 'x'.repeat(80)],
  'that shows nothing': ['\u200b', 'Member'],
  'that is empty': ['', 'Member'],
  'that is an object': [{ first: 'Ada' }, 'Member'],
  'that is missing': [undefined, 'Member'],
}

for (const [what, [sent, name]] of Object.entries(NAMES))
  t.test(`a member token with a name ${what} is valid, and the name is repaired`, async (t) => {
    t.match(await read(SHARED, await sign({ name: sent })), { name })
  })

t.test('a member token with an odd address is valid, and the address is left out', async (t) => {
  const odd = { picture: 'javascript:alert(1)', url: 'data:text/html,x', email: 'ada' }
  t.match(await read(SHARED, await sign({ ...odd, email_verified: true })), {
    avatarUrl: null,
    url: null,
    email: null,
    emailVerified: false,
  })
  const word = { email: 'ada@example.org', email_verified: 'true' }
  t.match(await read(SHARED, await sign(word)), { email: word.email, emailVerified: false })
})

t.test(
  'the reason why a member token is invalid is shown to a caller who can sign tokens',
  async (t) => {
    const faultsOf = (token: string) => read(SHARED, token).catch((error: Refusal) => error.faults)
    t.same(await faultsOf(await sign({ aud: 'shop' })), {
      authorization: 'the claim "aud" must be the slug of the site',
    })
    t.same(await faultsOf(await without('sub')), { authorization: 'the claim "sub" is missing' })
    t.same(await faultsOf(await sign({}, { kid: undefined as never })), {
      authorization: 'the header must name its "kid"',
    })
    t.match(await faultsOf(await sign({ exp: NOW + 9_000_000 })), {
      authorization: /^the claim "exp" must be at most 2592000 seconds after "iat"/,
    })
    const twice = forgeText(HEADER, `{"sub":"u2",${JSON.stringify(CLAIMS).slice(1)}`)
    t.same(await faultsOf(twice), { authorization: 'the claim "sub" is there twice' })
    const other = await sign({ aud: 'shop' }, {}, 'another secret, of 32 characters and more')
    t.same(await faultsOf(other), {})
  },
)

t.test('a name may stand in several objects of a member token, or in its texts', async (t) => {
  const token = await sign({ a: { sub: 1, b: [{ sub: 2 }, { sub: 3 }] }, c: '"sub":1,"sub":2{' })
  t.match(await read(SHARED, token), { subject: 'u1' })
})

t.test('a site sets the longest life of its member tokens', async (t) => {
  const short = { slug: 'blog', signOn: { ...SHARED.signOn, maxTokenAge: 300 } }
  t.match(await read(short, await sign({ exp: NOW + 300 })), { subject: 'u1' })
  await t.rejects(read(short, await sign()), { code: 'invalid_token' })
})

t.test(
  'a site without sign-on has no members, and a site with two secrets requires a kid',
  async (t) => {
    await t.rejects(read({ slug: 'blog', signOn: null }, await sign()), { code: 'invalid_token' })
    const hs256 = [...SHARED.signOn.hs256, { kid: 'k2', secret: SECRET.toUpperCase() }]
    const two = { slug: 'blog', signOn: { issuer: ISSUER, hs256 } }
    t.match(await read(two, await sign({}, { kid: 'k2' }, SECRET.toUpperCase())), { subject: 'u1' })
    await t.rejects(read(two, await sign({}, { kid: undefined as never })), {
      code: 'invalid_token',
    })
  },
)

/** A site whose public keys are served, as the test says at each moment. */
const openKeys = async (t: Test) => {
  const state = { text: '{"keys":[]}', status: 200, asked: 0 }
  const server = await openHttps(t, (_request, answer) => {
    state.asked += 1
    answer.writeHead(state.status).end(state.text)
  })
  const get = createGuardedGet({ allowedNetworks: ['127.0.0.1', '::1'], ca: server.ca })
  const site = { slug: 'blog', signOn: { issuer: ISSUER, jwksUrl: `${server.url}/keys` } }
  return { state, server, site, read: createMemberTokens({ get }) }
}

const makeKey = async (alg: string, kid: string) => {
  const { publicKey, privateKey } = await generateKeyPair(alg)
  const token = (claims: Claims = {}) =>
    new SignJWT({ ...CLAIMS, ...claims }).setProtectedHeader({ alg, kid }).sign(privateKey)
  return { jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' }, token, publicKey }
}

const serve = (...keys: { jwk: object }[]) => JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })

t.test('public keys are fetched once for all member tokens that they verify', async (t) => {
  const { state, site, read } = await openKeys(t)
  const keys = await Promise.all(['RS256', 'ES256', 'EdDSA'].map((alg) => makeKey(alg, alg)))
  state.text = serve(...keys)
  const tokens = await Promise.all([...keys, ...keys].map(({ token }) => token()))
  const read_ = await Promise.all(tokens.map((token) => read(site, token)))
  t.equal(read_.length, 6)
  t.equal(state.asked, 1)
})

t.test('an unknown kid causes at most one fetch of public keys per interval', async (t) => {
  const { state, site, read } = await openKeys(t)
  const [known, unknown] = await Promise.all([makeKey('ES256', 'a'), makeKey('ES256', 'b')])
  state.text = serve(known)
  await read(site, await known.token())
  for (let n = 0; n < 5; n++)
    await t.rejects(read(site, await unknown.token()), { code: 'invalid_token' })
  t.equal(state.asked, 1)
})

t.test(
  'public keys that cannot be fetched make sign-on unavailable, not the token invalid',
  async (t) => {
    const { state, site, read, server } = await openKeys(t)
    const key = await makeKey('ES256', 'a')
    for (const text of ['not JSON', '{}', '[]', '{"keys":1}', 'null']) {
      state.text = text
      const fresh = {
        ...site,
        signOn: { ...site.signOn, jwksUrl: `${site.signOn.jwksUrl}?${text.length}${text[0]}` },
      }
      await t.rejects(read(fresh, await key.token()), { code: 'unavailable' }, text)
    }
    state.status = 500
    await t.rejects(read(site, await key.token()), { code: 'unavailable' })
    server.close()
    await t.rejects(read(site, await key.token()), { code: 'unavailable' })
  },
)

t.test('fetched public keys stay valid while their server is away', async (t) => {
  const { state, site, read, server } = await openKeys(t)
  const key = await makeKey('ES256', 'a')
  state.text = serve(key)
  await read(site, await key.token())
  server.close()
  const now = Date.now()
  t.intercept(Date, 'now', { value: () => now + 700_000 })
  t.match(await read(site, await key.token({ exp: NOW + 7_000 })), { subject: 'u1' })
})

t.test('public keys verify no HMAC token, and secrets verify no public-key token', async (t) => {
  const { state, site, read } = await openKeys(t)
  const key = await makeKey('RS256', 'a')
  const oct = { jwk: { kty: 'oct', kid: 'o', alg: 'HS256', k: base64url.encode(SECRET) } }
  state.text = serve(key, oct)
  await read(site, await key.token())
  const pem = await exportSPKI(key.publicKey)
  for (const token of [
    forge({ alg: 'HS256', kid: 'a' }, CLAIMS, pem),
    forge({ alg: 'HS256', kid: 'o' }, CLAIMS),
    forge({ alg: 'HS256', kid: 'a' }, CLAIMS, JSON.stringify(key.jwk)),
  ])
    await t.rejects(read(site, token), { code: 'invalid_token' })
  const asHs = {
    slug: 'blog',
    signOn: { issuer: ISSUER, hs256: [{ kid: 'a', secret: pem.slice(0, 200) }] },
  }
  await t.rejects(read(asHs, await key.token()), { code: 'invalid_token' })
})

t.test('a key or key address inside a member token is ignored', async (t) => {
  const { state, site, read } = await openKeys(t)
  const [known, own] = await Promise.all([makeKey('ES256', 'a'), generateKeyPair('ES256')])
  state.text = serve(known)
  const jwk = await exportJWK(own.publicKey)
  for (const extra of [
    { jwk },
    { jku: `${site.signOn.jwksUrl}/mine` },
    { x5u: 'https://evil.example' },
  ]) {
    const header = { alg: 'ES256', kid: 'a', ...extra }
    const token = await new SignJWT(CLAIMS).setProtectedHeader(header).sign(own.privateKey)
    await t.rejects(read(site, token), { code: 'invalid_token' })
  }
})
