import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import t from 'tap'
import { createDb } from '../../src/postgres/connection/db.ts'
import { createLookUps } from '../../src/usecases/look-ups.ts'
import { IDS } from '../ids.ts'
import { openService } from '../service.ts'
import { during, untilSomebodyWaits } from './posting.ts'

t.test('Look-ups of one turn', async (t) => {
  const service = await openService(t)
  const { findGuest, findKey, findMovedComment } = createLookUps(service.db)
  const postAs = async (name: string) =>
    IDS.readComment((await service.post('a', `of ${name}`, { author: { name } })).id)!
  const [ada, grace] = [await postAs('Ada'), await postAs('Grace')]
  const rows = await service.db.selectFrom('comments').select('authorId').orderBy('id').execute()

  t.test('each caller gets their own guest, in the own site only', async (t) => {
    const [first, second] = rows.map(({ authorId }) => authorId)
    const asked = [
      { siteId: 1, id: second! },
      { siteId: 2, id: first! },
      { siteId: 1, id: first! },
      { siteId: 1, id: 999 },
      { siteId: 1, id: second! },
    ]
    const found = await Promise.all(asked.map(findGuest))
    t.same(
      found.map((guest) => guest?.name),
      ['Grace', undefined, 'Ada', undefined, 'Grace'],
    )
  })

  t.test('each caller gets the rights of their own key', async (t) => {
    const keys = [service.adminKey, 'unknown', service.adminKey]
    const found = await Promise.all(keys.map(findKey))
    t.same(
      found.map((key) => key?.scope),
      ['admin', undefined, 'admin'],
    )
  })

  t.test('different keys of one turn share a statement', async (t) => {
    const askAll = () => Promise.all(['one', 'two', 'three', service.adminKey].map(findKey))
    await askAll()
    const table = sql`lock table api_keys in access exclusive mode`
    const { asked, waiting } = await during(service, table, async () => {
      const asked = askAll()
      await untilSomebodyWaits(service)
      await sleep(50)
      return { asked, waiting: await untilSomebodyWaits(service) }
    })
    t.equal(waiting.length, 1)
    t.same(
      (await asked).map((key) => key?.scope),
      [undefined, undefined, undefined, 'admin'],
    )
  })

  t.test('a key that is revoked after its look-up began is not found by later ones', async (t) => {
    const key = await service.makeKey('moderate')
    const table = sql`lock table api_keys in access exclusive mode`
    const { earlier, later } = await during(service, table, async (session) => {
      const earlier = findKey(key)
      await untilSomebodyWaits(service)
      await sql`update api_keys set revoked_at = now() where scope = 'moderate'`.execute(session)
      return { earlier, later: findKey(key) }
    })
    await earlier
    t.equal(await later, undefined)
  })

  t.test('each caller gets the present thread of their own comment', async (t) => {
    await service.call('POST', `/v1/sites/default/comments/${IDS.writeComment(ada)}/moves`, {
      token: service.adminKey,
      body: { article_id: 'b', parent_id: null },
    })
    const [moved, other, elsewhere] = await Promise.all([
      findMovedComment({ siteId: 1, comment: ada }),
      findMovedComment({ siteId: 1, comment: grace }),
      findMovedComment({ siteId: 2, comment: ada }),
    ])
    t.match(moved, { id: ada.id, homeThreadId: ada.threadId, isReadable: true })
    t.not(moved?.threadId, ada.threadId)
    t.same([other, elsewhere], [undefined, undefined])
  })

  t.test('look-ups are refused with unavailable while Postgres is away', async (t) => {
    const away = createDb({ url: 'postgres://127.0.0.1:1/none', max: 2, onError: () => {} })
    t.teardown(away.close)
    const lookUps = createLookUps(away.db)
    await t.rejects(lookUps.findGuest({ siteId: 1, id: 1 }), { code: 'unavailable' })
    await t.rejects(lookUps.findKey('some'), { code: 'unavailable' })
  })
})
