import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { openBrowser, skipWithoutBrowser } from '../browser.ts'
import { openService } from '../service.ts'
import { findFreePort, until } from '../start.ts'

/** Runs the plugin in the WordPress of the system, on a MariaDB of its own, in a browser. */
const PLUGIN = join(import.meta.dirname, '../../web/wordpress')
const WORDPRESS = '/usr/share/wordpress'
const BLOCK_THEME = 'twentytwentythree'
const SECRET = 'a-long-random-text-that-only-two-servers-know'
const PASSWORD = 'a password of the test'
const CLOSED = 'Closed by its author'

const isMissing = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0
const missing = ['php', 'mariadbd', 'mariadb-install-db'].filter(isMissing)
if (!existsSync(join(WORDPRESS, 'wp-content/themes', BLOCK_THEME))) missing.push('WordPress')
if (!/^mysqli$/m.test(spawnSync('php', ['-m'], { encoding: 'utf8' }).stdout ?? ''))
  missing.push('mysqli')
const skip = missing.length > 0 ? `no ${missing.join(', no ')}` : skipWithoutBrowser

const startProgram = (t: Test, command: string, args: string[]): ChildProcess => {
  const child = spawn(command, args, { stdio: 'ignore' })
  t.teardown(async () => {
    if (child.exitCode === null && child.kill()) await once(child, 'exit')
  })
  return child
}

const startMariaDb = async (t: Test, folder: string): Promise<string> => {
  const data = join(folder, 'mariadb')
  const socket = join(folder, 'socket')
  const common = ['--no-defaults', `--datadir=${data}`, `--user=${userInfo().username}`]
  execFileSync('mariadb-install-db', [...common, '--auth-root-authentication-method=normal'], {
    stdio: 'ignore',
  })
  startProgram(t, 'mariadbd', [...common, '--skip-networking', `--socket=${socket}`])
  const run = (sql: string) => spawnSync('mariadb', ['-u', 'root', '-S', socket, '-e', sql]).status
  await until('for MariaDB', async () => run('create database wordpress') === 0 || undefined)
  return socket
}

/** A theme of templates: its list of articles shows counts, and its articles show comments. */
const TEMPLATE = `<!doctype html><html <?php language_attributes() ?>><head><?php wp_head() ?></head><body>
<?php while (have_posts()) { the_post(); ?>
  <h2><?php the_title() ?></h2>
  <?php if (is_singular()) comments_template(); else comments_popup_link(); ?>
<?php } wp_footer() ?></body></html>`

const SETUP = (base: string, service: string) => `<?php
define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = '${new URL(base).host}';
require __DIR__ . '/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install('A blog', 'ada', 'ada@blog.example', true, '', '${PASSWORD}');
update_option('siteurl', '${base}');
update_option('home', '${base}');
update_option('active_plugins', ['afterword/afterword.php']);
update_option('afterword', ['service' => '${service}', 'site' => 'default']);
wp_update_user(['ID' => 1, 'display_name' => "Ada & Grace O'Hara"]);
wp_insert_post(['post_title' => '${CLOSED}', 'post_status' => 'publish', 'comment_status' => 'closed']);
`

const openWordPress = async (t: Test, service: string) => {
  const folder = mkdtempSync(join(tmpdir(), 'afterword-wordpress-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const root = join(folder, 'blog')
  // With its links followed: Debian keeps parts of WordPress elsewhere.
  spawnSync('cp', ['-rL', WORDPRESS, root])
  cpSync(PLUGIN, join(root, 'wp-content/plugins/afterword'), { recursive: true })
  const theme = join(root, 'wp-content/themes/templates')
  mkdirSync(theme)
  writeFileSync(join(theme, 'style.css'), '/* Theme Name: Templates */')
  writeFileSync(join(theme, 'index.php'), TEMPLATE)
  const port = await findFreePort()
  const base = `http://127.0.0.1:${port}`
  const socket = await startMariaDb(t, folder)
  writeFileSync(
    join(root, 'wp-config.php'),
    `<?php
define('DB_NAME', 'wordpress'); define('DB_USER', 'root'); define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:${socket}'); define('AUTH_KEY', '${SECRET}'); define('AUTH_SALT', 'salt');
define('WP_HTTP_BLOCK_EXTERNAL', true); define('DISABLE_WP_CRON', true);
define('WP_DEBUG', true); define('WP_DEBUG_LOG', true); define('WP_DEBUG_DISPLAY', false);
$table_prefix = 'wp_';
if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
require ABSPATH . 'wp-settings.php';`,
  )
  const runPhp = (code: string) => {
    const file = join(root, 'run.php')
    writeFileSync(file, code)
    return execFileSync('php', [file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  }
  runPhp(SETUP(base, service))
  startProgram(t, 'php', ['-S', `127.0.0.1:${port}`, '-t', root])
  await until('for PHP', () =>
    fetch(base).then(
      (answer) => answer.ok || undefined,
      () => undefined,
    ),
  )
  /** Changes an option of WordPress as its administrator would. */
  const setOption = (name: string, value: string) =>
    runPhp(`<?php require __DIR__ . '/wp-load.php'; update_option('${name}', '${value}');`)
  const complaints = join(root, 'wp-content/debug.log')
  return { base, setOption, complaints }
}

const post = async (page: Page, text: string, name?: string) => {
  await page.getByRole('button', { name: 'Write a comment' }).click()
  await page.getByRole('textbox', { name: 'Comment' }).fill(text)
  if (name) await page.getByRole('textbox', { name: 'Name' }).fill(name)
  await page.getByRole('button', { name: 'Post', exact: true }).click()
  await page.locator('.body', { hasText: text }).waitFor()
}

t.test('the plugin in WordPress', { skip }, async (t) => {
  const service = await openService(t)
  const address = await service.app.listen({ host: '127.0.0.1', port: 0 })
  const { base, setOption, complaints } = await openWordPress(t, address)
  const browser = await openBrowser(t)
  const page = await browser.newPage()

  t.test('an article of a theme of blocks shows a thread, and a guest posts there', async (t) => {
    setOption('template', BLOCK_THEME)
    setOption('stylesheet', BLOCK_THEME)
    await page.goto(`${base}/?p=1`)
    await post(page, 'Written under an article', 'A reader')
    t.equal(await page.locator('afterword-thread').count(), 1)
    t.equal(await page.locator('#commentform').count(), 0, "the form of WordPress isn't there")
  })

  t.test('a theme of templates shows the thread, and its list the count', async (t) => {
    setOption('template', 'templates')
    setOption('stylesheet', 'templates')
    await page.goto(`${base}/?p=1`)
    await page.locator('.body', { hasText: 'Written under an article' }).waitFor()
    await page.goto(base)
    const link = page.locator('a', { hasText: /^1 Comment$/ })
    await link.waitFor()
    t.match(await link.getAttribute('href'), /p=1#comments$/)
  })

  t.test('an article that its author closed shows no thread', async (t) => {
    await page.goto(`${base}/?s=${encodeURIComponent(CLOSED)}`)
    const title = page.locator('h2', { hasText: CLOSED })
    await title.waitFor()
    await page.goto(`${base}/?p=4`)
    t.equal(await page.locator('h2').innerText(), CLOSED)
    t.equal(await page.locator('afterword-thread').count(), 0)
  })

  t.test('WordPress takes no comment itself', async (t) => {
    const body = new URLSearchParams({
      comment_post_ID: '1',
      comment: 'x',
      author: 'a',
      email: 'a@b.example',
    })
    const answer = await fetch(`${base}/wp-comments-post.php`, { method: 'POST', body })
    t.equal(answer.status, 403)
  })

  t.test('without a user, there is no token', async (t) => {
    const answer = await fetch(`${base}/wp-admin/admin-ajax.php?action=afterword_token`)
    t.equal(answer.status, 401)
  })

  t.test(
    'an administrator sets sign-on up, and comments under the name of the account',
    async (t) => {
      await page.goto(`${base}/wp-login.php`)
      await page.getByLabel('Username or Email Address').fill('ada')
      await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
      await page.getByRole('button', { name: 'Log In' }).click()
      await page.goto(`${base}/wp-admin/options-general.php?page=afterword`)
      t.equal(await page.getByLabel('Address of the service').inputValue(), address)
      const issuer = await page.locator('code', { hasText: base }).innerText()
      await page.getByLabel('Key').fill('2026-11')
      await page.getByLabel('Secret').fill(SECRET)
      await page.getByRole('button', { name: 'Save Changes' }).click()
      await page.getByText('Settings saved.').waitFor()
      t.equal(await page.getByLabel('Secret').inputValue(), '', 'the secret is not shown')
      const changed = await service.call('PATCH', '/v1/sites/default', {
        token: service.adminKey,
        body: { sign_on: { issuer, hs256: [{ kid: '2026-11', secret: SECRET }] } },
      })
      t.equal(changed.status, 200)
      await page.goto(`${base}/?p=1`)
      await post(page, 'Written by a user')
      const { items } = (await service.get('/articles/1/comments?include=staff')).body
      t.match(items[0], { body: 'Written by a user', author: { name: "Ada & Grace O'Hara" } })
      t.equal(items[0].author.kind, 'member')
      t.equal(items[0].author.role, 'owner')
    },
  )

  t.test('PHP complains about nothing in the plugin', async (t) => {
    const log = existsSync(complaints)
      ? execFileSync('cat', [complaints], { encoding: 'utf8' })
      : ''
    t.notMatch(log, /plugins\/afterword/)
  })
})
