import { recount } from './recount.ts'
import type { TestService } from './service.ts'
import { until } from './start.ts'

export type Imported = Record<string, any>

/** Sends a file, waits until the import ends, and returns it. */
export const importFile = async (
  service: TestService,
  file: string | Buffer,
  query: Record<string, string> = {},
): Promise<Imported> => {
  const started = await sendFile(service, file, query)
  if (started.status !== 202) throw new Error(`importing: ${started.status} ${started.text}`)
  return untilEnded(service, started.body.id)
}

export const sendFile = (
  service: TestService,
  file: string | Buffer,
  query: Record<string, string> = {},
) =>
  service.call('POST', `/v1/sites/default/imports?${new URLSearchParams(query)}`, {
    token: service.adminKey,
    headers: { 'content-type': 'application/octet-stream' },
    body: file,
  })

export const untilEnded = (service: TestService, id: string): Promise<Imported> =>
  until(`import ${id} to end`, async () => {
    const { body } = await service.get(`/imports/${id}`, { token: service.adminKey })
    return body.ended_at === null ? undefined : body
  })

/** The comments of an article as readers see them, oldest first, each with its depth. */
export const readThread = async (service: TestService, article: string): Promise<Imported[]> => {
  const path = `/articles/${encodeURIComponent(article)}/comments?sort=oldest&depth=10&limit=100`
  const { body } = await service.get(path)
  const flat = (items: Imported[]): Imported[] =>
    items.flatMap((item) => [item, ...flat(item.replies?.items ?? [])])
  return flat(body.items)
}

/** Figures of the database that are not what a recount gives; none when it is sound. */
export const faultsOf = (service: TestService): Promise<string[]> => recount(service.db)

type WxrComment = {
  id: number
  parent?: number
  text?: string
  author?: string
  email?: string
  url?: string
  date?: string
  approved?: string
  type?: string
  ip?: string
}

/** An export of WordPress with one post per article. */
export const wxr = (
  posts: Readonly<Record<string, readonly WxrComment[]>>,
  base = 'https://blog.example',
): string => `<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:wp="http://wordpress.org/export/1.2/" xmlns:content="http://purl.org/rss/1.0/modules/content/">
<channel><title>A blog</title><link>${base}</link><wp:wxr_version>1.2</wp:wxr_version><wp:base_site_url>${base}</wp:base_site_url>
${Object.entries(posts).map(postOf).join('\n')}
</channel></rss>
`

const postOf = ([address, comments]: [string, readonly WxrComment[]], at: number): string => `<item>
<title>Article ${at + 1}</title><link>${address}</link><wp:post_id>${at + 1}</wp:post_id>
<wp:comment_status>open</wp:comment_status><wp:post_type>post</wp:post_type>
${comments.map(commentOf).join('\n')}
</item>`

const commentOf = ({
  id,
  parent = 0,
  text = `Comment ${id}`,
  author = 'Ada',
  email = 'ada@mail.example',
  url = '',
  date = `2012-01-02 03:04:${String(id % 60).padStart(2, '0')}`,
  approved = '1',
  type = 'comment',
  ip = '203.0.113.7',
}: WxrComment): string => `<wp:comment>
<wp:comment_id>${id}</wp:comment_id><wp:comment_author><![CDATA[${author}]]></wp:comment_author>
<wp:comment_author_email>${email}</wp:comment_author_email><wp:comment_author_url>${url}</wp:comment_author_url>
<wp:comment_author_IP>${ip}</wp:comment_author_IP><wp:comment_date>${date}</wp:comment_date>
<wp:comment_date_gmt>${date}</wp:comment_date_gmt><wp:comment_content><![CDATA[${text}]]></wp:comment_content>
<wp:comment_approved>${approved}</wp:comment_approved><wp:comment_type>${type}</wp:comment_type>
<wp:comment_parent>${parent}</wp:comment_parent><wp:comment_user_id>0</wp:comment_user_id>
</wp:comment>`
