import { join } from 'node:path'
import * as v from 'valibot'
import { expect, test } from 'vitest'
import { CHART } from '../scripts/presets.ts'
import { LEAST } from '../scripts/helm.ts'
import { type KubernetesObject, objects } from './objects.ts'

const EVERYTHING = {
  files: [join(CHART, 'tests/values/everything.yaml')],
  set: [LEAST[0]!, 'daemonset.name=', 'dashboard.enabled=true'],
}

const SELECTED = v.looseObject({
  selector: v.optional(v.unknown()),
  podSelector: v.optional(v.unknown()),
})
const SELECTING = ['DaemonSet', 'NetworkPolicy', 'PodMonitor', 'Service']

function names(all: readonly KubernetesObject[]): string[] {
  return all.map(({ kind, metadata: { name, namespace = '' } }) => `${kind} ${namespace}/${name}`)
}

test.for([
  ['the same namespace', { release: 'one', namespace: 'a' }, { release: 'two', namespace: 'a' }],
  ['two namespaces', { release: 'same', namespace: 'a' }, { release: 'same', namespace: 'b' }],
  [
    'the usual name twice',
    { release: 'core-dump-handler', namespace: 'a' },
    { release: 'core-dump-handler', namespace: 'b' },
  ],
] as const)('two releases in %s share no object', async ([, one, two]) => {
  const first = names(await objects({ ...EVERYTHING, ...one }))
  const second = names(await objects({ ...EVERYTHING, ...two }))
  expect(first.length).toBeGreaterThan(10)
  expect(new Set([...first, ...second]).size).toBe(first.length + second.length)
})

test('two releases in one namespace do not select each other’s pods [B31]', async () => {
  const selectors = await Promise.all(
    ['one', 'two'].map(async (release) => {
      const all = await objects({ ...EVERYTHING, release })
      return all
        .filter(({ kind }) => SELECTING.includes(kind))
        .map(({ spec }) => v.parse(SELECTED, spec))
        .map(({ selector, podSelector }) => JSON.stringify(selector ?? podSelector))
    }),
  )
  expect(selectors[0]!.filter((selector) => selectors[1]!.includes(selector))).toEqual([])
})

test('the usual release has the names of v9, so that an upgrade replaces pod by pod', async () => {
  const all = await objects({ set: [...LEAST, 's3.accessKeyId=a', 's3.secretAccessKey=b'] })
  expect(names(all)).toEqual(
    expect.arrayContaining([
      'DaemonSet observe/core-dump-handler',
      'ServiceAccount observe/core-dump-admin',
      'Secret observe/s3config',
    ]),
  )
  expect(all.find(({ kind }) => kind === 'DaemonSet')).toMatchObject({
    spec: {
      selector: { matchLabels: { name: 'core-dump-ds' } },
      template: { spec: { containers: [{ name: 'coredump-container' }] } },
    },
  })
})

test('nothing is a hook but the test, so uninstalling leaves nothing', async () => {
  const all = await objects(EVERYTHING)
  const hooks = all.filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'])
  expect(names(hooks)).toEqual(['Pod observe/core-dump-handler-test'])
  expect(JSON.stringify(all)).not.toContain('resource-policy')
})

test('the roles allow the calls that are made and no other [B25]', async () => {
  const all = await objects()
  const rules = all.filter(({ kind }) => kind.endsWith('Role')).flatMap(({ rules: each }) => each)
  expect(rules).toEqual([
    { apiGroups: [''], resources: ['events'], verbs: ['create'] },
    {
      apiGroups: ['apps'],
      resources: ['daemonsets'],
      resourceNames: ['core-dump-handler'],
      verbs: ['get'],
    },
  ])
})
