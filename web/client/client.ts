import createFetchClient, { type FetchResponse, type MaybeOptionalInit } from 'openapi-fetch'
import { AfterwordError, createSend, type SendOptions } from './send.ts'
import { createVersions } from './versions.ts'
import type { components, paths } from './wire.d.ts'

export { AfterwordError } from './send.ts'
export type { components, operations, paths } from './wire.d.ts'

/** The shapes of the wire by their names in the description of the API, such as `Wire['Comment']`. */
export type Wire = components['schemas']

export type ClientOptions = SendOptions & {
  /** The address of the service, such as `https://comments.example`. */
  readonly service: string
  readonly site?: string
}

type SitePath = '/v1/sites/{site}'
type WithoutSite<T> = T extends { parameters: { path: infer Path extends { site: string } } }
  ? Omit<T, 'parameters'> & {
      parameters: Omit<T['parameters'], 'path'> &
        (keyof Path extends 'site' ? { path?: never } : { path: Omit<Path, 'site'> })
    }
  : T

type Versioned = Extract<keyof paths, `/v1/${string}`>

/** The path of a site's operation starts below the site: `/comments/{id}`. The others are complete: `/v1/sites`. */
export type ClientPaths = {
  [P in Versioned as P extends `${SitePath}${infer Below}` ? Below : P]: {
    [Part in keyof paths[P]]: WithoutSite<paths[P][Part]>
  }
}

const METHODS = ['get', 'put', 'post', 'patch', 'delete'] as const
type Method = (typeof METHODS)[number]
type PathOf<M extends Method> = {
  [P in keyof ClientPaths]: ClientPaths[P] extends { [K in M]: object } ? P : never
}[keyof ClientPaths]
type Init<P extends keyof ClientPaths, M extends Method> = MaybeOptionalInit<ClientPaths[P], M>
type Rest<I> = undefined extends I ? [init?: I] : [init: I]
type Data<P extends keyof ClientPaths, M extends Method> = NonNullable<
  FetchResponse<ClientPaths[P][M] & {}, object, `${string}/${string}`>['data']
>
type Call<M extends Method> = <P extends PathOf<M>>(
  path: P,
  ...init: Rest<Init<P, M>>
) => Promise<Data<P, M>>
type Branches = AsyncIterable<Wire['Branch']> | Iterable<Wire['Branch']>
type ItemOf<Page> = Page extends { items: readonly (infer Item)[] } ? Item : never
type ThreadQuery = NonNullable<
  paths[`${SitePath}/articles/{article_id}/comments`]['get']['parameters']['query']
>

export type Client = { readonly [M in Method]: Call<M> } & {
  /** The items of all pages of a list. */
  readonly walk: <P extends PathOf<'get'>>(
    path: P,
    ...init: Rest<Init<P, 'get'>>
  ) => AsyncGenerator<ItemOf<Data<P, 'get'>>, void>
  /** All comments of a thread, each before its replies; the client asks for the replies that no page shows. */
  readonly walkThread: (
    articleId: string,
    query?: Pick<ThreadQuery, 'sort' | 'limit' | 'depth' | 'replies'>,
  ) => AsyncGenerator<Wire['Branch'], void>
}

type AnyInit = { params?: { path?: Record<string, string>; query?: object } }
type AnyCall = (method: Method, path: string, init: object) => Promise<any>

const MAX_PAGE = 100

export const createClient = ({ service, site = 'default', ...options }: ClientOptions): Client => {
  const root = service.replace(/\/+$/, '')
  const below = `${root}/v1/sites/${encodeURIComponent(site)}`
  const request = createFetchClient({ fetch: createSend(options) }).request as AnyCall
  const versions = createVersions()

  const send: AnyCall = async (method, path, { params, ...rest }: AnyInit) => {
    const baseUrl = path.startsWith('/v1/') ? root : below
    const { data, response } = await request(method, path, { params, ...rest, baseUrl })
    versions.learn(data)
    if (method !== 'get') versions.keep(params?.path, response.headers.get('thread-version'))
    return data
  }

  const call: AnyCall = async (method, path, init: AnyInit) => {
    const { path: at, query } = init.params ?? {}
    const version = method === 'get' ? versions.find(path, at) : undefined
    if (version === undefined) return send(method, path, init)
    const params = { ...init.params, query: { at_least: version, ...query } }
    return send(method, path, { ...init, params }).catch((error) => {
      // An article whose thread was deleted has another one, which never had this version.
      if (!(error instanceof AfterwordError) || error.code !== 'invalid_request') throw error
      versions.forget(at)
      return send(method, path, init)
    })
  }

  async function* walk(path: string, init: AnyInit = {}): AsyncGenerator<any, void> {
    for (let next: { cursor?: string } | undefined = {}; next; ) {
      const params = { ...init.params, query: { ...init.params?.query, ...next } }
      const { items, next_cursor: cursor } = await call('get', path, { ...init, params })
      yield* items
      next = cursor ? { cursor } : undefined
    }
  }

  /** A cursor contains its sort, so that the continuations name none. */
  async function* walkBranches(branches: Branches): AsyncGenerator<Wire['Branch'], void> {
    for await (const branch of branches) {
      yield branch
      const { items, next_cursor: cursor } = branch.replies
      yield* walkBranches(items)
      const params = { path: { id: branch.id }, query: { limit: MAX_PAGE, cursor } }
      if (cursor !== null) yield* walkBranches(walk('/comments/{id}/replies', { params }))
    }
  }

  const callBy = (method: Method) => (path: string, init?: AnyInit) =>
    call(method, path, init ?? {})
  const calls = Object.fromEntries(METHODS.map((method) => [method, callBy(method)]))
  const walkThread: Client['walkThread'] = (articleId, query) => {
    const params = { path: { article_id: articleId }, query: { limit: MAX_PAGE, ...query } }
    return walkBranches(walk('/articles/{article_id}/comments', { params }))
  }
  return { ...calls, walk, walkThread } as unknown as Client
}
