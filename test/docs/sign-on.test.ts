import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { createMemberTokens } from '../../src/clients/member-tokens.ts'

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/sign-on.md'), 'utf8')
const SECRET = 'a-long-random-text-that-only-two-servers-know'
const ISSUER = 'https://example.org'
const SITE = {
  slug: 'blog',
  signOn: { issuer: ISSUER, hs256: [{ kid: '2026-11', secret: SECRET }] },
}

const read = createMemberTokens({
  get: async () => Promise.reject(new Error('nothing is fetched')),
})

/** A recipe as the page prints it, in a file of its own. */
const extract = (t: Test, name: string, file: string): string => {
  const folder = mkdtempSync(join(tmpdir(), 'afterword-recipe-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const [, code] = new RegExp(`^\`\`\`\\w+ recipe=${name}\n(.*?)^\`\`\``, 'ms').exec(PAGE)!
  writeFileSync(join(folder, file), code!)
  return join(folder, file)
}

t.test('the Node recipe returns a token to a user who is logged in', async (t) => {
  const { answerToken } = await import(pathToFileURL(extract(t, 'node', 'token.mjs')).href)
  const findUser = (request: { url?: string }) =>
    request.url === '/ada' && { id: 7, name: 'Ada', picture: 'https://example.org/ada.png' }
  const options = { secret: SECRET, kid: '2026-11', issuer: ISSUER, site: 'blog' }
  const server = createServer(answerToken(findUser, options)).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.teardown(() => server.close())
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const token = await (await fetch(`${base}/ada`)).text()
  t.match(await read(SITE, token), { subject: '7', name: 'Ada', avatarUrl: /ada\.png$/ })
  t.equal((await fetch(`${base}/nobody`)).status, 401)
})

t.test('the serverless recipe returns a token to a user who is logged in', async (t) => {
  const { default: handler } = await import(
    pathToFileURL(extract(t, 'serverless', 'token.mjs')).href
  )
  const env = (user: object | null) => ({
    SITE: 'blog',
    ISSUER,
    KID: '2026-11',
    SECRET,
    findUser: async () => user,
  })
  const request = new Request('https://example.org/token')
  const answer: Response = await handler.fetch(request, env({ id: 'u1', name: 'Ådä 🌍' }))
  t.match(await read(SITE, await answer.text()), { subject: 'u1', name: 'Ådä 🌍' })
  t.equal((await handler.fetch(request, env(null))).status, 401)
})

/** The WordPress functions that the recipe calls, for one user. */
const WORDPRESS = (id: number, may: string[]) => `<?php
define('COMMENTS_SITE', 'blog');
define('COMMENTS_ISSUER', '${ISSUER}');
define('COMMENTS_KID', '2026-11');
define('COMMENTS_SECRET', '${SECRET}');
class WP_Error {
    public function __construct(public $code, public $message, public $data) {}
}
function wp_get_current_user() {
    return (object) ['ID' => ${id}, 'display_name' => 'Grace Ö', 'user_email' => 'grace@example.org'];
}
function user_can($user, $what) { return in_array($what, ${JSON.stringify(may)}); }
function add_action($when, $what) { $GLOBALS['routes'][] = $what; }
function register_rest_route($space, $path, $route) { $GLOBALS['route'] = [$space . $path, $route]; }
require $argv[1];
foreach ($GLOBALS['routes'] as $what) $what();
$answer = call_user_func($GLOBALS['route'][1]['callback']);
echo json_encode([$GLOBALS['route'][0], $answer]);
`

const skipWithoutPhp = spawnSync('php', ['--version']).error ? 'no php on the PATH' : false

t.test(
  'the WordPress recipe returns a token to a user who is logged in',
  { skip: skipWithoutPhp },
  async (t) => {
    const ask = (id: number, may: string[]) => {
      const recipe = extract(t, 'wordpress', 'recipe.php')
      const stand = `${recipe}.stand.php`
      writeFileSync(stand, WORDPRESS(id, may))
      return JSON.parse(execFileSync('php', [stand, recipe], { encoding: 'utf8' }))
    }
    const [path, token] = ask(7, [])
    t.equal(path, 'comments/v1/token')
    t.match(await read(SITE, token), {
      subject: '7',
      name: 'Grace Ö',
      email: 'grace@example.org',
      roles: [],
    })
    t.match(await read(SITE, ask(7, ['moderate_comments'])[1]), { roles: ['moderator'] })
    t.match(await read(SITE, ask(7, ['manage_options', 'moderate_comments'])[1]), {
      roles: ['owner'],
    })
    t.match(ask(0, []), ['comments/v1/token', { data: { status: 401 } }])
  },
)
