import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { DEMO_ARTICLE } from '../src/http/service/welcome.ts'

/**
 * Posts a demo thread to a running service through the public API, and shows it at `/`. A repeated run posts
 * only comments that the thread lacks. With an admin key it also lists some staff.
 */

const USAGE = `npm run demo -- [--url http://127.0.0.1:3000] [--site default]
With AFTERWORD_ADMIN_KEY set, the site gets contributors and moderators too.`

/** Nobody can reply to a held comment. */
const HELD =
  'The site holds comments for its moderators: approve the comment, or set `moderation` to `post`, and run this again.'

/** Another run can be posting the same comment. */
const MAX_ATTEMPTS = 20
const PAUSE_MS = 250

type Comment = { readonly name: string; readonly body: string; readonly replies?: Comment[] }

const TITLE = 'A bicycle bridge across the river: two possible places'

const THREAD: readonly Comment[] = [
  {
    name: 'A reader',
    body: `The **northern** place is closer to the school. Pupils who cycle there today cross a road with four lanes.

If the town counts bicycles *before* it builds, then it can show later that the bridge was worth its price.`,
    replies: [
      {
        name: 'A neighbour',
        body: `The school is a good reason. But the northern bank is soft:

> The ground needs piles of twelve metres.

That is what the [first report](https://reports.example/bridge) says, and piles are expensive.`,
        replies: [
          {
            name: 'A former engineer',
            body: `Piles are common on this river. Three things decide about the price:

- the length between the banks,
- the height above ships,
- the days on which the road is closed.

The northern place is better in all three.`,
          },
        ],
      },
    ],
  },
  {
    name: 'A commuter',
    body: 'Two ramps that are not too steep matter more to me than the place. I carry `18 kg` of tools.',
  },
]

/** Subjects begin with `demo-`, so that they cannot be those of users. */
const STAFF = [
  { subject: 'demo-1', name: 'Editor', roles: ['contributor'], location: 'Canada' },
  { subject: 'demo-2', name: 'Photographer', roles: ['contributor'], location: 'United States' },
  { subject: 'demo-3', name: 'Evening moderator', roles: ['moderator'], location: 'Belgium' },
]

type Shown = {
  readonly id: string
  readonly body: string | null
  readonly replies?: { readonly items: readonly Shown[] }
}

const main = async (): Promise<void> => {
  const { values } = parseArgs({
    options: {
      url: { type: 'string', default: 'http://127.0.0.1:3000' },
      site: { type: 'string', default: 'default' },
    },
  })
  const { origin } = new URL(values.url)
  const site = `${origin}/v1/sites/${values.site}`
  const article = { title: TITLE, url: `${origin}/` }
  const key = process.env.AFTERWORD_ADMIN_KEY

  const send = async (method: string, path: string, body?: object, more: object = {}) => {
    for (let attempt = 1; ; attempt++) {
      const answer = await fetch(`${site}${path}`, {
        method,
        headers: { ...(body && { 'content-type': 'application/json' }), ...more },
        ...(body && { body: JSON.stringify(body) }),
      })
      const said = await answer.json()
      if (answer.ok) return said
      const isOfAnotherRun = said.code === 'idempotency_in_flight' && attempt < MAX_ATTEMPTS
      if (!isOfAnotherRun) throw new Error(`${method} ${path}: ${answer.status} ${said.code}`)
      await sleep(PAUSE_MS)
    }
  }

  const thread = `/articles/${DEMO_ARTICLE}`
  const shown = new Map<string, string>()
  const remember = (items: readonly Shown[]): void => {
    for (const { id, body, replies } of items) {
      if (body !== null) shown.set(body, id)
      remember(replies?.items ?? [])
    }
  }
  remember((await send('GET', `${thread}/comments?sort=oldest&limit=100`)).items)

  let posted = 0
  const post = async (comments: readonly Comment[], parent?: string): Promise<void> => {
    for (const { name, body, replies = [] } of comments) {
      let id = shown.get(body)
      if (id === undefined) {
        const comment = { body, author: { name }, article, ...(parent && { parent_id: parent }) }
        // The service takes the name of an article from pages of its own origin.
        const headers = { origin, 'idempotency-key': keyOf(name) }
        const stored = await send('POST', `${thread}/comments`, comment, headers)
        if (stored.status !== 'approved') throw new Error(HELD)
        id = stored.id as string
        posted += 1
      }
      await post(replies, id)
    }
  }
  await post(THREAD)

  if (key) {
    const authorization = { authorization: `Bearer ${key}` }
    for (const { subject, ...member } of STAFF)
      await send('PATCH', `/members/${subject}`, { ...member, listed: true }, authorization)
  }
  process.stdout.write(`${posted} comments posted: ${origin}/ shows the thread\n`)
}

const keyOf = (name: string): string => `afterword-demo-${name.toLowerCase().replaceAll(' ', '-')}`

try {
  await main()
} catch (error) {
  const { message, cause } = error as Error & { cause?: { code?: string } }
  process.stderr.write(`${message} ${cause?.code ?? ''}\n${USAGE}\n`)
  process.exit(1)
}
