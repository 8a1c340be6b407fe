import { SignJWT } from 'jose'
import type { TestService } from './service.ts'

/** The secret that a test's site shares with its members. */
export const ISSUER = 'https://example.org'
export const SECRET = 'a secret of the site, shared with us'.replaceAll(' ', '-')
export const SIGN_ON = { issuer: ISSUER, hs256: [{ kid: 'one', secret: SECRET }] }

type Claims = Record<string, unknown>

/** A good token of a member of the site `default`, but for what the claims say otherwise. */
export const signToken = (claims: Claims = {}): Promise<string> => {
  const now = Math.floor(Date.now() / 1000)
  const all = {
    sub: 'ada',
    name: 'Ada Member',
    iss: ISSUER,
    aud: 'default',
    iat: now,
    exp: now + 3600,
  }
  return new SignJWT({ ...all, ...claims })
    .setProtectedHeader({ alg: 'HS256', kid: 'one' })
    .sign(new TextEncoder().encode(SECRET))
}

/** Lets members of a site sign on by `signToken`. */
export const openSignOn = async (service: TestService, site = 'default'): Promise<void> => {
  const answer = await service.call('PATCH', `/v1/sites/${site}`, {
    token: service.adminKey,
    body: { sign_on: SIGN_ON },
  })
  if (answer.status !== 200) throw new Error(answer.text)
}
