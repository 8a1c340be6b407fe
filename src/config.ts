import { isIP } from 'node:net'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { parsePostgresUrl } from './postgres/connection/address.ts'
import { parseRedisUrl } from './redis/address.ts'

/** True for a network such as `10.0.0.0/8`, or for an address. */
const isNetwork = (text: string): boolean => {
  const [address = '', prefix, ...rest] = text.split('/')
  const longest = { 0: -1, 4: 32, 6: 128 }[isIP(address) as 0 | 4 | 6]
  const isPrefix = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= longest)
  return longest > 0 && isPrefix && rest.length === 0
}

const isProxy = (text: string): boolean => text === 'unix:' || isNetwork(text)

const MIN_SECRET_LENGTH = 32
const MAX_SECRET_LENGTH = 4_000

/** All settings with bounds, default and purpose. A test compares `docs/operations.md` with them. */
export const Settings = Type.Object({
  PORT: Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: 3000,
    description: 'TCP port; 0 takes a free one.',
  }),
  HOST: Type.String({ minLength: 1, default: '127.0.0.1', description: 'Address to listen on.' }),
  DATABASE_URL: Type.Optional(
    Type.String({
      pattern: '^postgres(ql)?://',
      description: 'Postgres 15 or newer. Unset: an embedded one.',
    }),
  ),
  AFTERWORD_MIGRATION_DATABASE_URL: Type.Optional(
    Type.String({
      pattern: '^postgres(ql)?://',
      description: 'The same Postgres, past a pooler, for migrations. Unset: DATABASE_URL.',
    }),
  ),
  REDIS_URL: Type.Optional(
    Type.String({
      pattern: '^rediss?(\\+[a-z]+)?://',
      description: 'Redis 7 or newer. Unset: pages and limits stay in memory.',
    }),
  ),
  AFTERWORD_DATA: Type.Optional(
    Type.String({ minLength: 1, description: 'Folder of the embedded Postgres. Unset: ./data.' }),
  ),
  AFTERWORD_ADMIN_KEY: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9_-]{32,200}$',
      description: 'An admin key for all sites, ensured at each start.',
    }),
  ),
  AFTERWORD_SECRET: Type.Optional(
    Type.String({
      minLength: MIN_SECRET_LENGTH,
      maxLength: MAX_SECRET_LENGTH,
      description:
        'Signs cursors and tokens. Several, separated by commas or spaces: the first signs, all verify. ' +
        'Unset: made once, kept in Postgres.',
    }),
  ),
  AFTERWORD_PUBLIC_URL: Type.Optional(
    Type.String({
      pattern: '^https?://[\\w.:[\\]-]+(/[\\w.~-]+)*/?$',
      description:
        'Address of the service for readers, with the path under which a proxy shows it. Unset: that of the request.',
    }),
  ),
  AFTERWORD_TRUSTED_PROXIES: Type.String({
    default: '',
    description:
      'Networks of the proxies, separated by commas; `unix:` is a local proxy behind a Unix socket.',
  }),
  AFTERWORD_FORWARDED_HEADER: Type.Union(
    [Type.Literal('x-forwarded-for'), Type.Literal('forwarded')],
    {
      default: 'x-forwarded-for',
      description: 'The only header in which trusted proxies name the client.',
    },
  ),
  AFTERWORD_OUTBOUND_NETWORKS: Type.String({
    default: '',
    description:
      'Private networks, separated by commas, that sites may have their public keys and checks in.',
  }),
  AFTERWORD_LIMIT_READ: Type.Integer({
    minimum: 0,
    maximum: 1_000_000_000,
    default: 12_000,
    description: 'Reads per person and minute; 0 is no limit.',
  }),
  AFTERWORD_LIMIT_WRITE: Type.Integer({
    minimum: 0,
    maximum: 1_000_000_000,
    default: 60,
    description: 'Writes of each kind per person and minute; 0 is no limit at all.',
  }),
  AFTERWORD_CACHE_BYTES: Type.Integer({
    minimum: 0,
    maximum: 17_179_869_184,
    default: 33_554_432,
    description: 'Pages kept in this process, in bytes.',
  }),
  AFTERWORD_POOL: Type.Integer({
    minimum: 2,
    maximum: 500,
    default: 20,
    description: 'Connections to Postgres.',
  }),
  LOG_LEVEL: Type.Union(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((level) =>
      Type.Literal(level),
    ),
    { default: 'info', description: 'The least level that is logged.' },
  ),
})

/** Settings that the service reads in another form. */
type Read =
  | 'AFTERWORD_TRUSTED_PROXIES'
  | 'AFTERWORD_OUTBOUND_NETWORKS'
  | 'AFTERWORD_SECRET'
  | 'AFTERWORD_PUBLIC_URL'

export type Config = Readonly<Omit<Static<typeof Settings>, Read>> & {
  /** Without a slash at its end; empty if unset. */
  readonly publicUrl: string
  readonly trustedProxies: readonly string[]
  readonly outboundNetworks: readonly string[]
  /** The first signs. Null stands for the secret that the service keeps in Postgres; empty does so too. */
  readonly secrets: readonly (string | null)[]
}

type Property = {
  type?: string
  minimum?: number
  maximum?: number
  minLength?: number
  pattern?: string
  anyOf?: { const: string }[]
}

/**
 * Reads the settings; an empty variable counts as unset.
 * @throws Error that names every fault and shows no value, because a setting can be a secret
 */
export const readConfig = (env: Readonly<Record<string, string | undefined>>): Config => {
  const given = Object.keys(Settings.properties).flatMap((name) =>
    env[name] ? [[name, toTyped(name, env[name])]] : [],
  )
  const values = Value.Default(Settings, Object.fromEntries(given)) as Static<typeof Settings>
  const {
    AFTERWORD_TRUSTED_PROXIES: proxies,
    AFTERWORD_OUTBOUND_NETWORKS: networks,
    AFTERWORD_SECRET: secrets,
    AFTERWORD_PUBLIC_URL: url,
    ...rest
  } = values
  const faults = Object.keys(Settings.properties).flatMap((name) => {
    const value = values[name as keyof typeof values] as string | undefined
    const fault = OWN_FAULTS[name] ? OWN_FAULTS[name](value) : faultOf(name, values)
    return fault ? [`${name} ${fault}`] : []
  })
  if (values.AFTERWORD_MIGRATION_DATABASE_URL && !values.DATABASE_URL)
    faults.push('AFTERWORD_MIGRATION_DATABASE_URL must be unset without DATABASE_URL')
  if (faults.length > 0)
    throw new Error(`Settings are wrong:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`)
  return Object.freeze({
    ...rest,
    publicUrl: url === undefined ? '' : new URL(url).href.replace(/\/+$/, ''),
    trustedProxies: readNetworks(proxies),
    outboundNetworks: readNetworks(networks),
    secrets: readSecrets(secrets),
  })
}

/** Stands for the secret in Postgres. */
const STORED = 'stored'

/** A text of which no part is long enough is one secret: a sentence. */
const splitSecrets = (text: string): string[] => {
  const parts = text.split(/[\s,]+/).filter(Boolean)
  return parts.some((part) => part.length >= MIN_SECRET_LENGTH) ? parts : [text]
}

const readSecrets = (list: string | undefined): (string | null)[] =>
  list === undefined ? [] : splitSecrets(list).map((secret) => (secret === STORED ? null : secret))

const secretFault = (list: string | undefined): string | undefined => {
  if (list !== undefined && list.length > MAX_SECRET_LENGTH)
    return `must have at most ${MAX_SECRET_LENGTH} characters`
  return readSecrets(list).every((secret) => secret === null || secret.length >= MIN_SECRET_LENGTH)
    ? undefined
    : `must be secrets of at least ${MIN_SECRET_LENGTH} characters, or \`${STORED}\`, separated by commas or spaces`
}

const readNetworks = (list = ''): string[] =>
  list
    .split(',')
    .map((network) => network.trim())
    .filter(Boolean)

const networkFault =
  (isListed: (text: string) => boolean) =>
  (list: string | undefined): string | undefined =>
    readNetworks(list).every(isListed)
      ? undefined
      : 'must be addresses or networks, separated by commas'

const propertyOf = (name: string) => (Settings.properties as Record<string, Property>)[name]!

const toTyped = (name: string, text: string): string | number =>
  propertyOf(name).type === 'integer' && /^\d+$/.test(text) ? Number(text) : text

const faultOf = (name: string, values: Record<string, unknown>): string | undefined => {
  const value = values[name]
  const isRight = value === undefined || Value.Check(propertyOf(name) as never, value)
  return isRight ? undefined : expectation(name)
}

/** The URL class rejects several hosts, so these addresses have parsers of their own. */
const addressFault =
  (parse: (url: string) => unknown) =>
  (url: string | undefined): string | undefined => {
    try {
      if (url !== undefined) parse(url)
      return undefined
    } catch (error) {
      return (error as Error).message
    }
  }

const OWN_FAULTS: Record<string, (value: string | undefined) => string | undefined> = {
  DATABASE_URL: addressFault(parsePostgresUrl),
  AFTERWORD_MIGRATION_DATABASE_URL: addressFault(parsePostgresUrl),
  REDIS_URL: addressFault(parseRedisUrl),
  AFTERWORD_SECRET: secretFault,
  AFTERWORD_TRUSTED_PROXIES: networkFault(isProxy),
  AFTERWORD_OUTBOUND_NETWORKS: networkFault(isNetwork),
  AFTERWORD_PUBLIC_URL: (url) =>
    url !== undefined &&
    (faultOf('AFTERWORD_PUBLIC_URL', { AFTERWORD_PUBLIC_URL: url }) || !URL.canParse(url))
      ? 'must be like https://comments.example or https://blog.example/comments, with nothing after the path'
      : undefined,
}

const expectation = (name: string): string => {
  const { type, minimum, maximum, minLength, pattern, anyOf } = propertyOf(name)
  if (type === 'integer') return `must be a whole number from ${minimum} to ${maximum}`
  if (anyOf) return `must be one of ${anyOf.map((option) => option.const).join(', ')}`
  return pattern ? `must match ${pattern}` : `must have at least ${minLength} characters`
}
