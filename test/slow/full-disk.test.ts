import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openEmbedded } from '../../src/postgres/embedded/embedded.ts'
import { logger, startNode } from '../own-service.ts'
import { until } from '../start.ts'

const DISK = 160_000_000

/** A file system of its own that can be filled. */
const openDisk = (t: Test) => {
  const folder = mkdtempSync(join(tmpdir(), 'afterword-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK},mode=755`, 'tmpfs', folder])
  t.teardown(() => {
    execFileSync('umount', ['--lazy', folder])
    rmSync(folder, { recursive: true })
  })
  chmodSync(folder, 0o755)
  const ballast = join(folder, 'ballast')
  const fill = (): void => {
    const file = openSync(ballast, 'w')
    try {
      for (const size of [1_000_000, 4_096])
        while (statfsSync(folder).bavail * statfsSync(folder).bsize >= size)
          writeSync(file, Buffer.alloc(size))
    } finally {
      closeSync(file)
    }
  }
  return { folder, fill, empty: () => rmSync(ballast) }
}

const canMount = (): boolean => {
  const folder = mkdtempSync(join(tmpdir(), 'afterword-mount-'))
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder])
  if (status === 0) spawnSync('umount', [folder])
  rmSync(folder, { recursive: true })
  return status === 0
}

const skip = canMount() ? false : 'this user may not mount a file system that can be filled'

t.test(
  'with a full disk reads go on, writes get 503, and both work when it has room',
  { skip },
  async (t) => {
    const disk = openDisk(t)
    const dataDir = join(disk.folder, 'data')
    const embedded = await openEmbedded({ dataDir, mayRelocate: false, log: logger })
    t.teardown(embedded.close)
    const { post, read, readAll, ask, lines } = await startNode(t, embedded.url)
    const acknowledged = ['before']
    t.equal((await post('a', 'before')).status, 201)
    disk.fill()
    const statuses = new Set<number>()
    const refused = await until('for a refusal', async () => {
      const text = `${acknowledged.length} ${'x'.repeat(5_000)}`
      const answer = await post('a', text)
      statuses.add(answer.status)
      if (answer.status === 201) acknowledged.push(text)
      return answer.status === 503 ? answer : undefined
    })
    t.match(refused.body, { code: 'unavailable' })
    t.equal(refused.headers.get('retry-after'), '1')
    for (let n = 0; n < 20; n++) statuses.add((await post('a', 'x'.repeat(5_000))).status)
    t.same(
      [...statuses].filter((status) => status !== 201 && status !== 503),
      [],
    )
    t.match(await ask('/readyz'), {
      status: 200,
      body: { status: 'degraded', checks: { postgres: 'disk_full' } },
    })
    t.equal((await read('a')).status, 200)
    t.equal((await read('never-read')).status, 200, 'also what is not cached')
    const withKey = { headers: { authorization: `Bearer ${'k'.repeat(32)}` } }
    t.equal(
      (await ask('/v1/sites/default/moderation/comments', withKey)).status,
      200,
      'also with an API key',
    )
    const errors = lines.filter(({ level }) => level >= 50)
    t.same(
      errors.map(({ msg }) => msg),
      ['postgres: the disk is full; writes are refused until it has room'],
    )
    disk.empty()
    await until(
      'for the disk to have room',
      async () => (await ask('/readyz')).body.status === 'ok',
    )
    t.equal((await post('a', 'after')).status, 201)
    t.ok(lines.some(({ msg }) => msg === 'postgres: the disk has room again'))
    const texts = await readAll('a')
    t.same(
      acknowledged.filter((text) => !texts.includes(text)),
      [],
      'every acknowledged comment',
    )
    t.ok(texts.includes('after'))
  },
)
