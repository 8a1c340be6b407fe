import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { openChecked, own, SITE, STRICT, seen, setChecks } from '../checks.ts'
import { hanging, json, LOOPBACK } from '../clients/checks-server.ts'
import { makeDue } from '../jobs.ts'
import { start, until } from '../start.ts'

t.test('a node that ends while it asks a check loses nothing', async (t) => {
  const { service, server, state } = await openChecked(t, hanging)
  await setChecks(service, [own(server.url)], { own: STRICT })
  const folder = mkdtempSync(join(tmpdir(), 'afterword-ca-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'ca.pem'), server.ca)
  const settings = {
    DATABASE_URL: service.url,
    AFTERWORD_OUTBOUND_NETWORKS: LOOPBACK.join(','),
    NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem'),
  }
  const node = start(t, settings)
  const url = await node.ready()
  const posting = fetch(`${url}${SITE}/articles/a/comments`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ body: 'x', author: { name: 'Ada' } }),
  }).catch(() => 'nobody answers')
  await until('for the check to be asked', () => state.heard.length > 0)
  await node.stop('SIGKILL')
  t.equal(await posting, 'nobody answers')
  const { comment_id: id } = JSON.parse(state.heard[0]!.body)
  t.equal((await seen(service, id))!.status, 'pending')
  await makeDue(service)
  state.answering = json({ score: 0 })
  await start(t, settings).ready()
  await until('for the comment', async () => (await service.get(`/comments/${id}`)).status === 200)
  t.equal((await service.get('/articles/a')).body.comment_count, 1)
})
