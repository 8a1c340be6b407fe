import { readFile } from 'node:fs/promises'
import type { ConnectionOptions } from 'node:tls'
import pg from 'pg'
import type { PostgresAddress, PostgresHost, SessionKind } from './address.ts'
import {
  ConnectFault,
  isNextServerWorthTrying,
  mayDependOnTls,
  toConnectFault,
} from './fault-reasons.ts'

export type ClientOptions = {
  /** For all servers of the address together. */
  readonly timeoutMs: number
  readonly config?: pg.ClientConfig
}

/** A client with the parts that its types leave out. */
export type OpenClient = pg.Client & {
  readonly processID: number | null
  readonly connection: pg.Connection & {
    readonly stream: { cork: () => void; uncork: () => void; destroy: () => void }
  }
}

/**
 * Connects to the first server of an address that responds and has the right kind, as libpq does. It tries the servers
 * in order, each for its share of the time that is left.
 * @throws ConnectFault
 */
export const openClient = async (
  address: PostgresAddress,
  options: ClientOptions,
): Promise<OpenClient> => {
  const endsAt = performance.now() + options.timeoutMs
  const kinds: SessionKind[] =
    address.session === 'prefer-standby' ? ['standby', 'any'] : [address.session]
  const attempts = kinds.flatMap((kind) => address.hosts.map((host) => ({ kind, host })))
  let fault: ConnectFault | undefined
  for (const [i, { kind, host }] of attempts.entries()) {
    const share = (endsAt - performance.now()) / (attempts.length - i)
    const timeoutMs = Math.max(1, Math.min(share, address.connectTimeoutMs ?? share))
    const answer = await tryServer({ address, host, kind, options: { ...options, timeoutMs } })
    if (!(answer instanceof ConnectFault)) return answer
    // The fault of a server of the wrong kind explains more than that of a server that is away.
    if (fault?.reason !== NO_SERVER[kind]) fault = answer
    if (!isNextServerWorthTrying(answer)) break
  }
  throw fault
}

type Attempt = {
  readonly address: PostgresAddress
  readonly host: PostgresHost
  readonly kind: SessionKind
  readonly options: ClientOptions
}

const tryServer = async (attempt: Attempt): Promise<OpenClient | ConnectFault> => {
  const ways = waysOf(attempt)
  let fault: ConnectFault | undefined
  for (const way of ways) {
    try {
      const client = await connect(attempt, way)
      if (await isOfKind(client, attempt.kind)) return client
      void client.end()
      return new ConnectFault(NO_SERVER[attempt.kind])
    } catch (cause) {
      const { sslMode } = attempt.address
      const next = toConnectFault(cause, { isPlain: way === 'plain', sslMode })
      // The first fault explains more if the server has no second way, or if its certificate is the cause.
      const isFirst = next.reason === 'tls_unavailable' || fault?.reason === 'certificate_invalid'
      fault = fault && isFirst ? fault : next
      if (!mayDependOnTls(next)) break
    }
  }
  return fault!
}

type Way = 'plain' | 'encrypted'

/** As libpq does, the service does not encrypt connections through a Unix socket. */
const waysOf = ({ address, host }: Attempt): readonly Way[] => {
  if (host.host?.startsWith('/')) return ['plain']
  switch (address.sslMode) {
    case 'disable':
      return ['plain']
    case 'allow':
      return ['plain', 'encrypted']
    case 'prefer':
      return ['encrypted', 'plain']
    default:
      return ['encrypted']
  }
}

const connect = async ({ address, host, options }: Attempt, way: Way): Promise<OpenClient> => {
  const isEncrypted = way === 'encrypted'
  const client = new pg.Client({
    ...options.config,
    ...host,
    user: address.user,
    password: address.password,
    database: address.database,
    application_name: address.applicationName,
    options: address.options,
    ssl: isEncrypted && (await readTlsOptions(address)),
    ...(isEncrypted && { sslnegotiation: address.sslNegotiation }),
    enableChannelBinding: address.bindsChannel,
    connectionTimeoutMillis: Math.ceil(options.timeoutMs),
  }) as OpenClient
  // Without a listener, losing the connection between two queries would end the process.
  client.on('error', () => {})
  let isBound = false
  client.connection.on('authenticationSASL', ({ mechanisms }: { mechanisms: string[] }) => {
    isBound = isEncrypted && mechanisms.includes('SCRAM-SHA-256-PLUS')
  })
  try {
    await client.connect()
    if (address.bindsChannel && !isBound) throw new ConnectFault('channel_binding_unavailable')
    return client
  } catch (error) {
    client.connection.stream.destroy()
    throw error
  }
}

/** Reads the files at each connection, because certificates are replaced while the service runs. */
const readTlsOptions = async (address: PostgresAddress): Promise<ConnectionOptions> => {
  const { sslMode, sslRootCert, sslCert, sslKey } = address
  const read = (file: string | undefined) => (file ? readFile(file, 'utf8') : undefined)
  const ca = await read(sslRootCert === 'system' ? undefined : sslRootCert)
  const [cert, key] = [await read(sslCert), await read(sslKey)]
  return {
    // As libpq does, every mode verifies the certificate if it knows the authority.
    rejectUnauthorized: ca !== undefined || sslMode === 'verify-full',
    ...(ca && { ca }),
    ...(cert && { cert, key }),
    ...(sslMode !== 'verify-full' && { checkServerIdentity: () => undefined }),
  }
}

const NO_SERVER = {
  any: 'no_primary',
  'read-write': 'no_primary',
  primary: 'no_primary',
  'read-only': 'no_standby',
  standby: 'no_standby',
  'prefer-standby': 'no_standby',
} as const

const isOfKind = async (client: OpenClient, kind: SessionKind): Promise<boolean> => {
  if (kind === 'any') return true
  const { rows } = await client.query<{ standby: boolean; readOnly: boolean }>(`
    select pg_is_in_recovery() as standby, current_setting('transaction_read_only') = 'on' as "readOnly"`)
  const { standby, readOnly } = rows[0]!
  return { 'read-write': !readOnly, 'read-only': readOnly, primary: !standby, standby }[
    kind as Exclude<SessionKind, 'any' | 'prefer-standby'>
  ]
}

const TELLING = ['in_hot_standby', 'default_transaction_read_only']

/** Calls a function when the server reports that it accepts no writes any more, although the address wants them. */
export const onDemotion = (
  client: OpenClient,
  { session }: PostgresAddress,
  act: () => void,
): void => {
  if (session !== 'read-write' && session !== 'primary') return
  client.connection.on(
    'parameterStatus',
    ({ parameterName, parameterValue }: { parameterName: string; parameterValue: string }) => {
      if (TELLING.includes(parameterName) && parameterValue === 'on') act()
    },
  )
}
