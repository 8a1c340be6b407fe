import { Type } from 'typebox'
import { MAX_TIMEOUT_MS } from '../../domain/site/check.ts'
import { object, oneOf, text } from '../wire/schema-parts.ts'

const name = Type.String({
  // A name that every object has is none.
  pattern: '^(?!constructor$)[a-z0-9][a-z0-9-]{0,31}$',
  description: "Names it in the policy's `checks`, in traces and in addresses.",
})
const timeout = Type.Integer({
  minimum: 100,
  maximum: MAX_TIMEOUT_MS,
  description: 'For each question. An author waits so long at most, for all checks together.',
})
const SITE_URL = 'The front page of what Akismet protects.'
const IS_TEST = 'Akismet learns nothing from it.'

export const Check = object(
  {
    name,
    kind: oneOf(['akismet', 'http']),
    url: text('Where it is asked; of Akismet the address that its methods are below.'),
    timeout_ms: timeout,
    site_url: Type.Optional(text(SITE_URL)),
    is_test: Type.Optional(Type.Boolean({ description: IS_TEST })),
  },
  {
    $id: 'Check',
    description: 'A service outside that is asked about comments; without its secret.',
  },
)

export const Verdict = object(
  {
    comment_id: Type.String({ maxLength: 64, description: 'As in the question.' }),
    score: Type.Number({
      minimum: 0,
      maximum: 1,
      description: '0 is surely good, 1 is surely spam.',
    }),
    revision: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        description:
          'As in the question: a verdict on an earlier text is let go. Unset: on what it says now.',
      }),
    ),
  },
  { $id: 'Verdict', examples: [{ comment_id: 'c1-2', score: 0.97, revision: 1 }] },
)

const KEPT = 'Left out: the secret that is known for this name and address stays.'

const akismet = object({
  name,
  kind: Type.Literal('akismet'),
  url: Type.Optional(
    Type.String({ maxLength: 2048, description: "https only. Unset: Akismet's own." }),
  ),
  secret: Type.Optional(
    Type.String({ pattern: '^[!-~]{1,512}$', description: `The API key. ${KEPT}` }),
  ),
  timeout_ms: Type.Optional(timeout),
  site_url: Type.String({ maxLength: 2048, description: SITE_URL }),
  is_test: Type.Optional(Type.Boolean({ description: IS_TEST })),
})

const http = object({
  name,
  kind: Type.Literal('http'),
  url: Type.String({ maxLength: 2048, description: 'https only.' }),
  secret: Type.Optional(
    Type.String({
      pattern: '^[!-~]{32,512}$',
      description: `Signs questions and verdicts. ${KEPT}`,
    }),
  ),
  timeout_ms: Type.Optional(timeout),
})

export type CheckFields = {
  name: string
  secret?: string
  timeout_ms?: number
} & (
  | { kind: 'akismet'; url?: string; site_url: string; is_test?: boolean }
  | { kind: 'http'; url: string }
)

export const CheckChange = Type.Unsafe<CheckFields>({
  $id: 'CheckChange',
  description: 'A service outside that is to be asked about comments.',
  anyOf: [akismet, http],
  examples: [
    {
      name: 'own',
      kind: 'http',
      url: 'https://checks.example/comments',
      secret: 'thirty-two-characters-or-more-00',
    },
  ],
})
