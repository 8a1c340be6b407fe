import { createPublicIds } from '../src/http/wire/public-ids.ts'

/** The same in every test, so that the nodes of a test have the same ids. */
export const ID_SECRET = 'a secret for tests'
export const idsOf = createPublicIds(Buffer.from(ID_SECRET))

/** The public ids of the site `default`. */
export const IDS = idsOf(1)
/** The id of a comment that the site does not have. */
export const ABSENT = IDS.writeComment({ threadId: 1, id: 46_655 })
/** The id of the first comment of a service. */
export const FIRST = IDS.writeComment({ threadId: 1, id: 1 })
