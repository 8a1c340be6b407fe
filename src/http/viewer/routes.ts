import { getViewer } from '../../usecases/reading/get-viewer.ts'
import { storedNetworkOf } from '../edge/addresses.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately } from '../edge/responses.ts'
import { writerIdentityOf } from '../edge/writer-identity.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { presentViewer } from './present.ts'
import { Viewer } from './schemas.ts'

const GET_VIEWER = op.operation({
  id: 'getViewer',
  tag: 'Reading',
  summary: "Get the caller's own data",
  description:
    'Returns who the caller is, whether they may post (and if not, why), their votes and their ' +
    'held comments. It is separate from the comment pages, which all readers share and can cache.',
  params: object(op.articleParams),
  query: op.NO_QUERY,
  body: op.NO_BODY,
  answers: { 200: ref(Viewer) },
  credential: 'taken',
  limit: 'read',
})

export const addViewerRoutes = (app: Router, { context, keys }: Http): void => {
  app.get('/sites/:site/articles/:article_id/viewer', GET_VIEWER, async (request, reply) => {
    const { site, caller, params } = request
    const viewer = await getViewer(context, {
      site,
      caller,
      articleId: params.article_id,
      addressHash: storedNetworkOf(keys().addresses, request).addressHash,
      writerIdentity: writerIdentityOf(keys().addresses, request),
    })
    return sendPrivately(reply, presentViewer(request.ids, viewer))
  })
}
