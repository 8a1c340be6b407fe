import type { Static } from 'typebox'
import type { ScreeningRequest as Screening } from '../../usecases/policies/screen-comment.ts'
import { readPolicy } from '../policies/fields.ts'
import { readBody, readProfile } from '../wire/fields.ts'
import type { ScreeningRequest } from './schemas.ts'

/** Refuses a text or author as `postComment` does. */
export const readScreeningRequest = ({
  body,
  author = {},
  article_id: articleId,
  policy,
}: Static<typeof ScreeningRequest>): Omit<Screening, 'site'> => ({
  body: readBody(body),
  author: readProfile({ name: 'Guest', ...author }),
  articleId,
  policy: policy && readPolicy(policy),
})
