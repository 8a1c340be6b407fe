import { Cluster, type Redis } from 'ioredis'
import {
  findFreePort,
  openPatientRedis,
  type Server,
  startServer,
  type Test,
  until,
} from './own-server.ts'

const SLOTS = 16_384
const MASTERS = 3

/** A redis-server, and a patient connection to it alone. */
export type Node = Server & { readonly id: string; readonly admin: Redis }

/** Masters that go on without each other, and know each other after about 2 s. */
export const startCluster = async (t: Test) => {
  const nodes = await Promise.all(Array.from({ length: MASTERS }, () => startNode(t)))
  await Promise.all(nodes.map(giveSlots))
  await Promise.all(nodes.map((node) => meet(nodes[0]!, node)))
  await Promise.all(nodes.map((node) => untilWhole(node.admin, nodes.length)))
  return { url: clusterUrlOf(nodes), nodes }
}

/** The same, and a replica of the first that may take its place. */
export const startClusterWithReplica = async (t: Test) => {
  const replica = await startNode(t)
  const { nodes } = await startCluster(t)
  const [master] = nodes as [Node, ...Node[]]
  await Promise.all(nodes.map((node) => meet(node, replica)))
  await until('the replica to know its master', () =>
    replica.admin.cluster('REPLICATE', master.id).catch(() => undefined),
  )
  await until(
    'the replica to be in step',
    async () => /master_link_status:up/.test(await replica.admin.info('replication')) || undefined,
  )
  const asSeen = new RegExp(`^${replica.id} .* slave ${master.id} .* connected`, 'm')
  await Promise.all(
    nodes.map(({ admin }) =>
      until(
        'the replica to be known',
        async () => asSeen.test(String(await admin.cluster('NODES'))) || undefined,
      ),
    ),
  )
  return { url: clusterUrlOf(nodes), nodes, replica }
}

const clusterUrlOf = (nodes: readonly Node[]): string =>
  `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`

/** A cluster client that waits, for tests of exactness on a machine that is busy with others. */
export const openPatientCluster = async (t: Test, nodes: readonly Node[]): Promise<Cluster> => {
  const cluster = new Cluster(nodes.map(({ port }) => ({ host: '127.0.0.1', port })))
  cluster.on('error', () => {})
  t.teardown(() => cluster.disconnect())
  await until('the cluster to be ready', async () => cluster.status === 'ready' || undefined)
  return cluster
}

export const slotOf = (node: Node, tag: string): Promise<number> =>
  node.admin.cluster('KEYSLOT', tag)

/** A thread of this site for each master, in their order. */
export const findThreads = async (nodes: readonly Node[], site: number) => {
  const threads: number[] = []
  for (let thread = 1; threads.filter(Boolean).length < MASTERS; thread++) {
    const slot = await slotOf(nodes[0]!, `${site}:${thread}`)
    threads[Math.floor((slot * MASTERS) / SLOTS)] ??= thread
  }
  return threads as [number, number, number]
}

/** The three steps of moving a slot, each to be done once and in this order. */
export const createMove = (slot: number, { from, to }: { from: Node; to: Node }) => {
  const setSlot = (node: Node, ...rest: string[]) =>
    node.admin.call('CLUSTER', 'SETSLOT', `${slot}`, ...rest)
  const target = ['127.0.0.1', `${to.port}`, '', '0', '5000', 'KEYS']
  return {
    begin: async () => {
      await setSlot(to, 'IMPORTING', from.id)
      await setSlot(from, 'MIGRATING', to.id)
    },
    moveKeys: async () => {
      const keys = (await from.admin.call('CLUSTER', 'GETKEYSINSLOT', `${slot}`, '100')) as string[]
      if (keys.length > 0) await from.admin.call('MIGRATE', ...target, ...keys)
    },
    end: async () => {
      await setSlot(to, 'NODE', to.id)
      await setSlot(from, 'NODE', to.id)
    },
  }
}

export const startNode = async (t: Test): Promise<Node> => {
  const bus = await findFreePort()
  const settings = [
    `--cluster-enabled yes --cluster-port ${bus} --cluster-announce-ip 127.0.0.1`,
    '--cluster-node-timeout 1000 --cluster-require-full-coverage no',
    '--repl-diskless-sync-delay 0',
  ]
  const server = await startServer(t, settings.join(' ').split(' '))
  const admin = await openPatientRedis(t, server.url)
  return { ...server, admin, id: await admin.cluster('MYID') }
}

/** Slot `s` belongs to the node with the index `s * MASTERS / SLOTS`, rounded down. */
const giveSlots = async ({ admin }: Node, index: number): Promise<void> => {
  const firstOf = (i: number) => Math.ceil((i * SLOTS) / MASTERS)
  await admin.cluster('SET-CONFIG-EPOCH', index + 1)
  await admin.cluster('ADDSLOTSRANGE', firstOf(index), firstOf(index + 1) - 1)
}

const meet = async (node: Node, other: Node): Promise<void> => {
  const [, bus] = (await other.admin.config('GET', 'cluster-port')) as [string, string]
  await node.admin.call('CLUSTER', 'MEET', '127.0.0.1', `${other.port}`, bus)
}

const untilWhole = (admin: Redis, count: number) =>
  until('the nodes to know each other', async () => {
    const info = await admin.cluster('INFO')
    const isWhole = [
      'cluster_state:ok',
      `cluster_slots_ok:${SLOTS}`,
      `cluster_known_nodes:${count}`,
    ]
    return isWhole.every((line) => info.includes(`${line}\r\n`)) || undefined
  })
