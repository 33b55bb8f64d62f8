import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { helm, LEAST, render } from '../scripts/helm.ts'
import { CHART, presetFile, presets } from '../scripts/presets.ts'
import { objects, parseObjects, podSpec } from './objects.ts'

const OUR_VALUES = { destination: 's3://cores', image: { registry: 'registry.example' } }

interface Dependency {
  readonly alias?: string
  readonly condition?: string
  readonly tags?: readonly string[]
}

/** `helm template` of a chart that has this one as its dependency. */
async function umbrella(
  dependency: Dependency,
  values: object,
  ...args: string[]
): Promise<string> {
  const scratch = await mkdtemp(join(tmpdir(), 'umbrella-'))
  try {
    await mkdir(join(scratch, 'charts'))
    await cp(CHART, join(scratch, 'charts/core-dump-handler'), { recursive: true })
    const dependencies = [
      { name: 'core-dump-handler', version: '*', repository: '', ...dependency },
    ]
    const chart = { apiVersion: 'v2', name: 'umbrella', version: '0.1.0', dependencies }
    await writeFile(join(scratch, 'Chart.yaml'), stringify(chart))
    await writeFile(join(scratch, 'values.yaml'), stringify(values))
    return await helm(['template', 'r', scratch, '--namespace=observe', ...args])
  } finally {
    await rm(scratch, { recursive: true })
  }
}

describe('W4: the chart as a dependency', () => {
  const condition = 'core-dump-handler.enabled'

  test.for([
    [true, true],
    [false, false],
  ])('W4: condition with enabled %s', async ([enabled, rendered]) => {
    const text = await umbrella({ condition }, { 'core-dump-handler': { ...OUR_VALUES, enabled } })
    expect(text.includes('kind: DaemonSet')).toBe(rendered)
  })

  test.for([true, false])('W4: tags with %s', async (debug) => {
    const values = { tags: { debug }, 'core-dump-handler': OUR_VALUES }
    const text = await umbrella({ tags: ['debug'] }, values)
    expect(text.includes('kind: DaemonSet')).toBe(debug)
  })

  test('W4: global values, an alias and null groups', async () => {
    const values = {
      global: { imageRegistry: 'x', nested: { a: 1 } },
      dumps: { ...OUR_VALUES, composer: null, agent: null, metrics: null, 'x-mine': 1 },
    }
    const all = parseObjects(await umbrella({ alias: 'dumps' }, values))
    expect(all.map(({ kind }) => kind)).toContain('DaemonSet')
  })

  test('W4: `enabled` changes nothing in a release of its own', async () => {
    expect(await render({ set: [...LEAST, 'enabled=true'] })).toBe(await render())
  })
})

/** Pods of the DaemonSet and of `helm test`. */
async function pods(set: readonly string[], files: readonly string[] = []): Promise<Placement[]> {
  const all = await objects({ set: [...LEAST, ...set], files })
  const specs = all.flatMap(({ kind, spec }): unknown[] => {
    if (kind === 'Pod') return [spec]
    return kind === 'DaemonSet' ? [v.parse(DAEMONSET, spec).template.spec] : []
  })
  return specs.map((spec) => v.parse(PLACEMENT, spec))
}

const DAEMONSET = v.object({ template: v.object({ spec: v.unknown() }) })
const TERM = v.object({ matchExpressions: v.array(v.unknown()) })
const PLACEMENT = v.object({
  nodeSelector: v.record(v.string(), v.string()),
  affinity: v.object({
    podAffinity: v.optional(v.unknown()),
    nodeAffinity: v.object({
      requiredDuringSchedulingIgnoredDuringExecution: v.object({
        nodeSelectorTerms: v.array(TERM),
      }),
    }),
  }),
})
type Placement = v.InferOutput<typeof PLACEMENT>

test.for([
  [[], {}],
  [['nodeSelector.pool=a'], { pool: 'a' }],
  [[String.raw`nodeSelector.kubernetes\.io/os=windows`], {}],
] as const)('W5: pods run on Linux nodes only, with %j', async ([set, own]) => {
  const each = await pods(set)
  expect(each).toHaveLength(2)
  for (const { nodeSelector } of each) {
    expect(nodeSelector).toEqual({ 'kubernetes.io/os': 'linux', ...own })
  }
})

const EXCLUDED = [
  { key: 'kubernetes.io/arch', operator: 'In', values: ['amd64', 'arm64'] },
  { key: 'eks.amazonaws.com/compute-type', operator: 'NotIn', values: ['fargate'] },
  { key: 'type', operator: 'NotIn', values: ['virtual-kubelet'] },
]

test.for(presets())(
  'W6: preset %s keeps off Fargate, virtual nodes and other architectures, also with all taints tolerated',
  async (name) => {
    for (const { affinity } of await pods(['tolerations[0].operator=Exists'], [presetFile(name)])) {
      const { nodeSelectorTerms: terms } =
        affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution
      for (const { matchExpressions } of terms) {
        expect(matchExpressions).toEqual(expect.arrayContaining(EXCLUDED))
      }
    }
  },
)

test('W6: an affinity of the user is kept, with the exclusions in each of its alternatives', async () => {
  const path =
    'affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms'
  const term = (index: number): string[] => [
    `${path}[${index}].matchExpressions[0].key=zone${index}`,
    `${path}[${index}].matchExpressions[0].operator=Exists`,
  ]
  const topology =
    'affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight=1'
  const [pod] = await pods([...term(0), ...term(1), topology])
  expect(pod?.affinity.podAffinity).toBeDefined()
  expect(
    pod?.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms,
  ).toEqual(
    [0, 1].map((index) => ({
      matchExpressions: [{ key: `zone${index}`, operator: 'Exists' }, ...EXCLUDED],
    })),
  )
})

describe('D16b: the ServiceAccount `default`', () => {
  test.for([
    ['serviceAccount.create=false', 'scc.create=true'],
    ['serviceAccount.create=false'],
    [
      'serviceAccount.create=false',
      'serviceAccount.name=default',
      'rbac.create=false',
      'scc.create=true',
    ],
    ['serviceAccount.name=default'],
    ['serviceAccount.create=false', 'rbac.create=false', 'serviceAccount.useToken=true'],
  ])('D16b: %j is refused', async (set) => {
    await expect(render({ set: [...LEAST, ...set] })).rejects.toThrow(/Set serviceAccount\.name/)
  })

  test('D16b: is allowed where it gets no rights, and another account with them', async () => {
    for (const set of [
      ['serviceAccount.create=false', 'rbac.create=false'],
      ['serviceAccount.create=false', 'serviceAccount.name=mine', 'scc.create=true'],
    ]) {
      expect(await render({ set: [...LEAST, ...set] })).toContain('kind: DaemonSet')
    }
  })
})

test.for(['1', '10%', '100%'])('D16c: maxSurge %s is refused with the reason', async (surge) => {
  const pair = `daemonset.updateStrategy.rollingUpdate.maxSurge=${surge}`
  await expect(render({ set: [...LEAST, pair] })).rejects.toThrow(
    /maxSurge is .*waits until the old one has ended.*maxUnavailable/,
  )
})

test.for(['maxSurge=0', 'maxSurge=0%', 'maxUnavailable=10%'])('D16c: %s is taken', async (pair) => {
  const { spec } = await podSpec([`daemonset.updateStrategy.rollingUpdate.${pair}`])
  expect(spec.containers).toHaveLength(1)
})

test('D16g: what well-kept charts pass through arrives in its place', async () => {
  const set = [
    'dnsConfig.options[0].name=ndots',
    'hostAliases[0].ip=10.0.0.1',
    'hostAliases[0].hostnames[0]=store.example',
    'runtimeClassName=runc',
    'initContainers[0].name=wait',
    'initContainers[0].image=wait:1',
    'revisionHistoryLimit=0',
    'minReadySeconds=5',
    'serviceAccount.labels.team=a',
    'service.annotations.team=b',
    'metrics.podMonitor.enabled=true',
    'metrics.podMonitor.namespace=monitoring',
    'extraObjects[0].apiVersion=v1',
    'extraObjects[0].kind=ConfigMap',
    'extraObjects[0].metadata.name=mine-\\{\\{ .Release.Name \\}\\}',
    'extraObjects[1]=\\{apiVersion: v1\\, kind: Secret\\, metadata: \\{name: text\\}\\}',
  ]
  const all = await objects({ set: [...LEAST, ...set] })
  const one = (kind: string, name?: string): object | undefined =>
    all.find(
      (object) => object.kind === kind && (name ?? object.metadata.name) === object.metadata.name,
    )
  expect(one('DaemonSet')).toMatchObject({
    spec: {
      revisionHistoryLimit: 0,
      minReadySeconds: 5,
      template: {
        spec: {
          dnsConfig: { options: [{ name: 'ndots' }] },
          hostAliases: [{ ip: '10.0.0.1', hostnames: ['store.example'] }],
          runtimeClassName: 'runc',
          initContainers: [{ name: 'wait', image: 'wait:1' }],
        },
      },
    },
  })
  expect(one('ServiceAccount')).toMatchObject({ metadata: { labels: { team: 'a' } } })
  expect(one('Service')).toMatchObject({ metadata: { annotations: { team: 'b' } } })
  expect(one('PodMonitor')).toMatchObject({
    metadata: { name: 'core-dump-handler-observe', namespace: 'monitoring' },
    spec: { namespaceSelector: { matchNames: ['observe'] } },
  })
  expect(one('ConfigMap', 'mine-core-dump-handler')).toBeDefined()
  expect(one('Secret', 'text')).toBeDefined()
})

test('no name depends on what is in the cluster: only the notes look anything up', async () => {
  const directory = join(CHART, 'templates')
  for (const file of await readdir(directory)) {
    if (file === '_warnings.tpl' || file === 'tests') continue
    expect(await readFile(join(directory, file), 'utf8'), file).not.toMatch(/\blookup "/)
  }
})
