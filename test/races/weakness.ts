import { randomBytes } from 'node:crypto'

/** How the protocol of the page cache is weakened, so that a test can show that it would notice. */
export type Weakness = {
  readonly distrustMs?: number
  readonly hideWaitMs?: number
  /** Tokens that another node makes as well. */
  readonly token?: 'counter'
  /** The build that the node says it is. */
  readonly version?: string
}

/** The weakness as an option of `createService`. */
export const partsOf = ({ token, version = '0.0.0', ...times }: Weakness) => {
  let count = 0
  const newToken = () =>
    token === 'counter' ? String(++count) : randomBytes(8).toString('base64url')
  return { version, protocol: { ...times, newToken } }
}
