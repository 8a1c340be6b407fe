import type { Call } from '../call.ts'
import { now } from '../clock.ts'
import { guestName, keep, parseKept, readKept } from '../kept.ts'
import type { Host, Token } from '../view.ts'
import type { Author } from '../wire.ts'

/** A guest as this device remembers them. Without a token they only left a name. */
export type Guest = {
  readonly token?: string
  readonly name: string
  readonly email?: string
  readonly url?: string
}

export type Identity = ReturnType<typeof createIdentity>

const RENEW_BEFORE_SECONDS = 60

/** When a member token ends, in seconds. A token that cannot be read is asked for each time. */
const endOf = (token: string): number => {
  try {
    const [, claims = ''] = token.split('.')
    return JSON.parse(atob(claims.replaceAll('-', '+').replaceAll('_', '/'))).exp ?? 0
  } catch {
    return 0
  }
}

/** Knows who is speaking: a member by a token of the page, or a guest whom this device remembers. */
export const createIdentity = (
  host: Host,
  { ask, call, base }: { ask: typeof fetch; call: Call; base: string },
) => {
  const name = guestName(base)
  let member: string | null = null

  const guest = (): Guest | undefined => parseKept<Guest>(readKept('localStorage', name))
  const keepGuest = (change: Partial<Guest>): boolean =>
    keep('localStorage', name, JSON.stringify({ name: '', ...guest(), ...change }))

  const askPage = async (): Promise<string | null> => {
    let given: Token | Promise<Token> = host.token
    if (typeof given === 'function') given = await given()
    const address = host.getAttribute('token-url')
    if (!given && address) given = await readToken(address)
    return typeof given === 'string' && given ? given : null
  }

  /** The answer is the token itself, or `{"token": …}`. */
  const readToken = async (address: string): Promise<string | null> => {
    const answer = await ask(address, { credentials: 'same-origin' }).catch(() => undefined)
    if (!answer?.ok) return null
    const text = (await answer.text()).trim()
    return parseKept<{ token?: string }>(text)?.token ?? text
  }

  /** The token of the member; renewed a minute before it ends, or now. */
  const memberToken = async (isRefused = false): Promise<string | null> => {
    const isFresh = member && endOf(member) > now() / 1000 + RENEW_BEFORE_SECONDS
    if (!isFresh || isRefused) member = await askPage()
    return member
  }

  const token = async (): Promise<string | undefined> =>
    (await memberToken()) ?? guest()?.token ?? undefined

  return {
    guest,
    keepGuest,
    memberToken,
    token,
    isGuest: () => !member,
    /** The name stays for the next comment. */
    forgetToken: (): void => {
      const { token: _, ...rest } = guest() ?? { name: '' }
      keep('localStorage', name, JSON.stringify(rest))
    },
    forget: (): void => {
      keep('localStorage', name, null)
    },
    /** A credential for a vote or a flag: a reader without one becomes a guest. */
    tokenToAct: async (fallbackName: string): Promise<string> => {
      const known = await token()
      if (known) return known
      const body = { name: guest()?.name || fallbackName }
      const address = `${base}/guests`
      const answer = await call<{ guest_token: string; author: Author }>({
        method: 'POST',
        address,
        body,
        key: crypto.randomUUID(),
      })
      keepGuest({ token: answer.body.guest_token, name: body.name })
      return answer.body.guest_token
    },
    /** Another tab can sign the guest in or out. */
    isKeptIn: (key: string | null): boolean => key === name,
  }
}
