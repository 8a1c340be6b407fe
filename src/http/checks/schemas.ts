import { Type } from 'typebox'
import { CHECK_NAME, MAX_TIMEOUT_MS } from '../../domain/site/check.ts'
import { object, oneOf, openObject, text } from '../wire/schema-parts.ts'

const name = Type.String({
  pattern: CHECK_NAME,
  description: "Names the check in the policy's `checks`, in traces and in paths.",
})
const timeout = Type.Integer({
  minimum: 100,
  maximum: MAX_TIMEOUT_MS,
  description: 'How long to wait for one response. All checks of a site run at the same time.',
})
const SITE_URL = 'Front page of the site that Akismet protects.'
const IS_TEST = 'Akismet does not learn from test requests.'

export const Check = openObject(
  {
    name,
    kind: oneOf(['akismet', 'http']),
    url: text('The address of the check. For Akismet: the base URL of its methods.'),
    timeout_ms: timeout,
    site_url: Type.Optional(text(SITE_URL)),
    is_test: Type.Optional(Type.Boolean({ description: IS_TEST })),
  },
  {
    $id: 'Check',
    description: 'An external check of new comments, without its secret.',
  },
)

export const Verdict = object(
  {
    comment_id: Type.String({
      maxLength: 64,
      description: 'The id from the request to the check.',
    }),
    score: Type.Number({
      minimum: 0,
      maximum: 1,
      description: '0: certainly good. 1: certainly spam.',
    }),
    revision: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        description:
          'The revision from the request to the check: a verdict on an earlier text is ignored. ' +
          'Omitted: the verdict is on the current text.',
      }),
    ),
  },
  {
    $id: 'Verdict',
    examples: [{ comment_id: 'cNTBF4vf1DORNF_5fK9RE1A', score: 0.97, revision: 1 }],
  },
)

const KEPT = 'Omitted: the stored secret of this name and URL is kept.'

const AkismetCheckChange = object(
  {
    name,
    kind: Type.Literal('akismet'),
    url: Type.Optional(
      Type.String({ maxLength: 2048, description: "https only. Omitted: Akismet's own URL." }),
    ),
    secret: Type.Optional(
      Type.String({ pattern: '^[!-~]{1,512}$', description: `The API key. ${KEPT}` }),
    ),
    timeout_ms: Type.Optional(timeout),
    site_url: Type.String({ maxLength: 2048, description: SITE_URL }),
    is_test: Type.Optional(Type.Boolean({ description: IS_TEST })),
  },
  { title: 'Akismet' },
)

const HttpCheckChange = object(
  {
    name,
    kind: Type.Literal('http'),
    url: Type.String({ maxLength: 2048, description: 'https only.' }),
    secret: Type.Optional(
      Type.String({
        pattern: '^[!-~]{32,512}$',
        description: `Signs the requests to the check and its verdicts. ${KEPT}`,
      }),
    ),
    timeout_ms: Type.Optional(timeout),
  },
  { title: 'HTTP' },
)

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
  description: 'An external check to run on new comments.',
  anyOf: [AkismetCheckChange, HttpCheckChange],
  examples: [
    {
      name: 'own',
      kind: 'http',
      url: 'https://checks.example/comments',
      secret: 'thirty-two-characters-or-more-00',
    },
  ],
})
