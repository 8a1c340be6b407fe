import pg from 'pg'
import type { SslMode } from './address.ts'

/** Why Postgres is away, for `/readyz`: without a host, a name or a secret. `docs/monitoring.md` explains each. */
export const FAULT_REASONS = [
  'access_refused',
  'authentication_failed',
  'certificate_invalid',
  'channel_binding_unavailable',
  'connection_lost',
  'connection_refused',
  'database_missing',
  'disk_full',
  'host_unknown',
  'host_unreachable',
  'no_primary',
  'no_standby',
  'not_migrated',
  'out_of_memory',
  'permission_denied',
  'read_only',
  'shutting_down',
  'starting_up',
  'time_out',
  'tls_failed',
  'tls_required',
  'tls_unavailable',
  'too_many_connections',
  'unknown',
] as const

export type FaultReason = (typeof FAULT_REASONS)[number]

type Login = { readonly isPlain: boolean; readonly sslMode: SslMode }

/** A server that did not let the service in, or is of the wrong kind. */
export class ConnectFault extends Error {
  readonly reason: FaultReason

  constructor(reason: FaultReason, options?: ErrorOptions) {
    const cause = options?.cause instanceof Error ? `: ${options.cause.message}` : ''
    super(`no connection to Postgres, ${reason}${cause}`, options)
    this.reason = reason
  }
}

export const toConnectFault = (error: unknown, { isPlain, sslMode }: Login): ConnectFault => {
  if (error instanceof ConnectFault) return error
  const reason = reasonOf(error)
  const wantsTls =
    isPlain &&
    reason === 'access_refused' &&
    (sslMode === 'disable' || SAYS_TLS.test(String(error)))
  return new ConnectFault(wantsTls ? 'tls_required' : reason, { cause: error })
}

/** A server can refuse a login for being encrypted or not. A server without TLS says so before. */
export const mayDependOnTls = ({ reason }: ConnectFault): boolean =>
  reason === 'access_refused' || reason === 'tls_required' || /^(tls|certificate)_/.test(reason)

/** libpq does not try the next server after one that knows the service and refuses it. */
export const isNextServerWorthTrying = ({ cause, reason }: ConnectFault): boolean =>
  !(cause instanceof pg.DatabaseError) || NEXT_REASONS.has(reason)

const NEXT_REASONS = new Set<FaultReason>(['starting_up', 'shutting_down', 'too_many_connections'])

const SAYS_TLS = /\b(SSL|TLS|insecure)\b/i

const CODES: readonly (readonly [RegExp, FaultReason])[] = [
  [/^28P/, 'authentication_failed'],
  [/^28/, 'authentication_failed'],
  [/^3D/, 'database_missing'],
  [/^42501/, 'permission_denied'],
  [/^42P01/, 'not_migrated'],
  [/^53100/, 'disk_full'],
  [/^53200/, 'out_of_memory'],
  [/^53300/, 'too_many_connections'],
  [/^57P03/, 'starting_up'],
  [/^57P0/, 'shutting_down'],
  [/^(57014|55P03|25P03)/, 'time_out'],
  [/^25006/, 'read_only'],
  [/^(ECONNREFUSED|ENOENT|EACCES)/, 'connection_refused'],
  [/^(ENOTFOUND|EAI_)/, 'host_unknown'],
  [/^(EHOST|ENET)/, 'host_unreachable'],
  [/^ETIMEDOUT/, 'time_out'],
  [/^(ECONN|EPIPE|08)/, 'connection_lost'],
  [
    /^(CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|ERR_TLS_CERT|HOSTNAME_MISMATCH)/,
    'certificate_invalid',
  ],
  [/^(EPROTO|ERR_SSL|ERR_TLS|ERR_OSSL)/, 'tls_failed'],
]

/** Messages of node-postgres, which have no code, and of PgBouncer, which gives one code to all of them. */
const MESSAGES: readonly (readonly [RegExp, FaultReason])[] = [
  [/no more connections allowed/, 'too_many_connections'],
  [/authentication failed|no such user|password must be|SASL:/i, 'authentication_failed'],
  [/no such database/, 'database_missing'],
  [/does not support SSL/, 'tls_unavailable'],
  [/establishing an SSL connection/, 'tls_failed'],
  [/time-?out|timed out/i, 'time_out'],
  [/Connection terminated|not queryable|Client was closed/, 'connection_lost'],
]

export const reasonOf = (error: unknown): FaultReason => {
  if (error instanceof ConnectFault) return error.reason
  if (!(error instanceof Error)) return 'unknown'
  const { code = '', cause } = error as Error & { code?: string }
  // Rules of pg_hba.conf refuse here; an unknown user or a wrong password is found elsewhere.
  if (code === '28000' && (error as { routine?: string }).routine === 'ClientAuthentication')
    return 'access_refused'
  const byMessage = MESSAGES.find(([words]) => words.test(error.message))?.[1]
  const byCode = CODES.find(([start]) => start.test(code))?.[1]
  const isVague = byCode === undefined || byCode === 'connection_lost'
  const reason = isVague ? (byMessage ?? byCode) : byCode
  return reason ?? (cause === undefined ? 'unknown' : reasonOf(cause))
}
