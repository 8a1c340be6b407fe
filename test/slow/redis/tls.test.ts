import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import t, { type Test } from 'tap'
import { closeRedis, createRedis } from '../../../src/redis/connection.ts'
import { MASTER } from '../../redis/own-sentinel.ts'
import {
  collectLog,
  findFreePort,
  openPatientRedis,
  openRedis,
  skipOwn,
  startProcess,
  until,
  untilSaid,
} from '../../redis/own-server.ts'

const HANDSHAKE_MS = 100
const HANDSHAKES = 30

const skip =
  skipOwn ||
  (spawnSync('openssl', ['version']).error ? 'no openssl on the PATH: no certificate' : false)

/** A certificate for `localhost` alone, which this process believes until the test ends. */
const createCertificate = (t: Test) => {
  const folder = mkdtempSync(join(tmpdir(), 'afterword-tls-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  spawnSync('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', cert])
  const trusted = getCACertificates('default')
  t.teardown(() => {
    setDefaultCACertificates(trusted)
    rmSync(folder, { recursive: true })
  })
  return {
    trust: () => setDefaultCACertificates([...trusted, readFileSync(cert, 'utf8')]),
    settings: [`tls-cert-file ${cert}`, `tls-key-file ${key}`, `tls-ca-cert-file ${cert}`],
  }
}

/** A server that speaks nothing but TLS. */
const startTls = (t: Test, settings: readonly string[], ...mode: string[]) =>
  startProcess(t, ({ port, folder }) => {
    const file = join(folder, 'redis.conf')
    const place = [`tls-port ${port}`, 'port 0', 'bind 127.0.0.1', `dir ${folder}`]
    const own = [...place, 'tls-auth-clients no', 'tls-replication yes', ...settings]
    writeFileSync(file, `${own.join('\n')}\n`)
    return [file, ...mode]
  })

const clusterOf = (port: number, bus: number): string[] => [
  'cluster-enabled yes',
  'tls-cluster yes',
  `cluster-port ${bus}`,
  'cluster-announce-ip 127.0.0.1',
  `cluster-announce-tls-port ${port}`,
  'cluster-announce-hostname localhost',
  'cluster-preferred-endpoint-type hostname',
]

/** Leads to the port, but lets each connection wait for longer than a command may take. */
const startSlowDoor = async (t: Test, doorPort: number, port: number) => {
  const server = createServer((socket) => {
    const through = connect(port, '127.0.0.1')
    for (const one of [socket, through]) one.on('error', () => {})
    through.pipe(socket)
    setTimeout(() => socket.pipe(through), HANDSHAKE_MS)
    socket.on('close', () => through.destroy())
  })
  server.listen(doorPort, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
}

const sentinelOf = (port: number): string[] => [
  'sentinel resolve-hostnames yes',
  'sentinel announce-hostnames yes',
  `sentinel monitor ${MASTER} localhost ${port} 1`,
]

/** The connection can end in the middle of the handshake; the test ignores its error. */
const closeAfter = async (turns: number, url: string): Promise<void> => {
  const redis = createRedis(url, collectLog().log)
  for (let turn = 0; turn < turns; turn++) await setImmediate()
  await closeRedis(redis)
}

t.test('Redis, a cluster and sentinels are reached over TLS by name', { skip }, async (t) => {
  const certificate = createCertificate(t)
  const { settings } = certificate
  const single = await startTls(t, [...settings, 'save ""'])
  const [door, bus] = [await findFreePort(), await findFreePort()]
  const node = await startTls(t, [...settings, ...clusterOf(door, bus)])
  await startSlowDoor(t, door, node.port)
  const sentinel = await startTls(t, [...settings, ...sentinelOf(single.port)], '--sentinel')
  const urls = [
    `rediss://localhost:${single.port}`,
    `rediss+sentinel://localhost:${sentinel.port}/${MASTER}`,
    `rediss+cluster://localhost:${door}`,
  ]

  for (const url of urls) {
    const { log, lines } = collectLog()
    const redis = createRedis(url, log)
    await until('the away line', async () => lines.at(0))
    await closeRedis(redis)
    for (let turns = 0; turns < HANDSHAKES; turns++) await closeAfter(turns, url)
  }
  certificate.trust()
  const admin = await openPatientRedis(t, `rediss://localhost:${node.port}`)
  await admin.cluster('ADDSLOTSRANGE', 0, 16_383)
  for (const url of urls) {
    const { redis } = await openRedis(t, url)
    t.equal(await untilSaid('an answer', () => redis.get('a')), null, url)
  }
})
