import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { Document, parseAllDocuments, stringify } from 'yaml'
import { helm, LEAST, render } from '../scripts/helm.ts'
import { CHART } from '../scripts/presets.ts'
import { readValues, type Value } from '../scripts/read-values.ts'
import { objects, podSpec } from './objects.ts'
import { test, valuesFile } from './values-file.ts'

function groups(values: readonly Value[]): string[] {
  return values.flatMap(({ path, children }) =>
    children ? [path.join('.'), ...groups(children)] : [],
  )
}

const nested = (path: string, text: string): string => {
  const keys = path.split('.')
  return keys.map((key, depth) => `${'  '.repeat(depth)}${key}:`).join('\n') + ` ${text}\n`
}

describe('W9: null', () => {
  const all = readValues()
  const leaves = (values: readonly Value[]): string[] =>
    values.flatMap(({ path, children }) => (children ? leaves(children) : [path.join('.')]))

  test.for(groups(all).filter((path) => path !== 'image'))(
    'W9: %s renders as if it were not there, in a values file and as `--set`',
    async (path, { scratch }) => {
      const plain = await render()
      const file = await valuesFile(scratch, nested(path, ''))
      expect(await render({ files: [file] })).toBe(plain)
      expect(await render({ set: [`${path}=null`, ...LEAST] })).toBe(plain)
    },
  )

  test('W9: every value renders as if it were not there', async ({ scratch }) => {
    const nulls = leaves(all).filter((path) => !LEAST.some((pair) => pair.startsWith(`${path}=`)))
    expect(nulls.length).toBeGreaterThan(100)
    const document = new Document({})
    for (const path of nulls) document.setIn(path.split('.'), null)
    const file = await valuesFile(scratch, String(document))
    expect(await render({ files: [file] })).toBe(await render())
  })

  test('W9: null inside lists and objects of the user does not break the chart', async ({
    scratch,
  }) => {
    const sidecar = { name: 'a', image: 'b', env: null, volumeMounts: null, securityContext: null }
    const file = await valuesFile(
      scratch,
      stringify({
        daemonset: {
          sidecarContainers: [null, sidecar],
          updateStrategy: { rollingUpdate: null },
          extraEnvVars: [null, { name: 'A', value: null }],
        },
        affinity: { nodeAffinity: null },
        metrics: { podMonitor: { enabled: true, relabelings: [null] } },
        initContainers: [null],
        commonLabels: { a: null },
      }),
    )
    const { spec, metadata } = await podSpec([], [file])
    expect(spec.containers.map(({ name }) => name)).toEqual(['coredump-container', 'a'])
    expect(metadata.labels).not.toHaveProperty('a')
    const notes = ['install', 'r', CHART, '--dry-run=client', '--values', file]
    const set = LEAST.flatMap((pair) => ['--set', pair])
    expect(await helm([...notes, ...set])).toContain('a is privileged only if')
  })

  test('W9: a key deleted by null from an open map is not put back', async ({ scratch }) => {
    const file = await valuesFile(scratch, 'securityContext: {readOnlyRootFilesystem: null}\n')
    const { spec } = await podSpec([], [file])
    expect(spec.containers[0]!.securityContext).not.toHaveProperty('readOnlyRootFilesystem')
  })
})

test('D16h: --reuse-values from a chart without any of today’s values renders the same', async ({
  scratch,
}) => {
  const older = join(scratch, 'chart')
  await cp(CHART, older, { recursive: true })
  await writeFile(join(older, 'values.yaml'), '{}\n')
  const args = LEAST.flatMap((pair) => ['--set', pair])
  const text = await helm([
    'template',
    'core-dump-handler',
    older,
    '--namespace=observe',
    '--show-only=templates/daemonset.yaml',
    ...args,
  ])
  expect(await render()).toContain(text.trim())
})

describe('W7: a tag of digits', () => {
  test.for(['20231005', '1e10', '0123456', '1.10', 'true'])(
    'W7: %s without quotes in a values file is refused with what to write',
    async (tag, { scratch }) => {
      const file = await valuesFile(scratch, `image: {tag: ${tag}}\n`)
      await expect(render({ files: [file] })).rejects.toThrow(/image\.tag is .*write it in quotes/)
    },
  )

  test.for(['20231005', '1e10', '0123456', '1.10'])(
    'W7: %s in quotes, and by --set, is the tag',
    async (tag, { scratch }) => {
      const file = await valuesFile(scratch, `image: {tag: "${tag}"}\n`)
      for (const options of [{ files: [file] }, { set: [...LEAST, `image.tag=${tag}`] }]) {
        expect(await render(options)).toContain(
          `image: "registry.example/core-dump-handler:${tag}"`,
        )
      }
    },
  )
})

describe('W8: numbers and booleans where text is meant', () => {
  test.for([
    'daemonset: {extraEnvVars: [{name: NO_COLOR, value: true}]}',
    'daemonset: {extraEnvVars: [{name: UV_THREADPOOL_SIZE, value: 8}]}',
    'daemonset: {extraEnvVars: "- {name: NO_COLOR, value: true}"}',
    'daemonset: {sidecarContainers: [{name: a, image: b, env: [{name: X, value: 1}]}]}',
    'initContainers: [{name: a, image: b, env: [{name: X, value: no}]}]',
    'daemonset: {podAnnotations: {sidecar.istio.io/inject: false}}',
    'daemonset: {podLabels: {build: 20231005}}',
    'commonLabels: {a: 1}',
    'commonAnnotations: {a: yes}',
    'nodeSelector: {pool: 2}',
    'serviceAccount: {annotations: {a: 1.10}}',
    'metrics: {podMonitor: {labels: {a: on}}}',
    's3: {accessKeyId: 123456, secretAccessKey: "x"}',
    's3: {region: 1}',
    'priorityClassName: 7',
    'nameOverride: 2024',
  ])('W8: %s is refused with what to write', async (values, { scratch }) => {
    const file = await valuesFile(scratch, `${values}\n`)
    await expect(render({ files: [file] })).rejects.toThrow(
      /is the (number|boolean) .*write it in quotes/,
    )
  })

  test('W8: text that looks like a number or boolean stays text in every object', async ({
    scratch,
  }) => {
    const text = {
      nameOverride: '2024',
      priorityClassName: '1e3',
      runtimeClassName: 'true',
      imagePullSecrets: ['007'],
      serviceAccount: { name: '1' },
      daemonset: { name: '5', label: 'null' },
      nodeSelector: { pool: '0123' },
      s3: { existingSecret: '99', ca: { secret: '12' } },
      metrics: { podMonitor: { enabled: true, interval: '30' } },
    }
    const file = await valuesFile(scratch, stringify(text))
    const all = await objects({ files: [file], release: '42' })
    for (const { metadata } of all) {
      for (const value of [metadata.name, ...Object.values(metadata.labels ?? {})]) {
        expect(value).toBeTypeOf('string')
      }
    }
    const daemonset = all.find(({ kind }) => kind === 'DaemonSet')
    const pod = {
      priorityClassName: '1e3',
      runtimeClassName: 'true',
      imagePullSecrets: [{ name: '007' }],
      serviceAccountName: '1',
      nodeSelector: { pool: '0123', 'kubernetes.io/os': 'linux' },
    }
    expect(daemonset).toMatchObject({ spec: { template: { spec: pod } } })
  })
})

test('D16e: no render has a key twice in a map', async ({ scratch }) => {
  const same = {
    team: 'a',
    name: 'mine',
    'app.kubernetes.io/component': 'b',
    'prometheus.io/scrape': 'never',
  }
  const values = {
    commonLabels: { ...same, 'app.kubernetes.io/name': 'c', 'app.kubernetes.io/managed-by': 'd' },
    commonAnnotations: { ...same, owner: 'e' },
    daemonset: {
      podLabels: same,
      podAnnotations: same,
      extraEnvVars: [
        { name: 'LOG_LEVEL', value: 'trace' },
        { name: 'LOG_LEVEL', value: 'warn' },
      ],
    },
    agent: { logLevel: 'debug' },
    composer: { podSelectorLabel: 'team' },
    metrics: { annotations: true, podMonitor: { enabled: true, labels: same } },
    alerts: { enabled: true, labels: same, alertLabels: { severity: 'f' } },
    dashboard: { enabled: true, labels: same, annotations: same },
    serviceAccount: { annotations: same, labels: same, useToken: true },
    service: { annotations: same },
    scc: { create: true },
    networkPolicy: { enabled: true },
  }
  const file = await valuesFile(scratch, stringify(values))
  const text = await render({ files: [file] })
  const problems = parseAllDocuments(text, { uniqueKeys: true }).flatMap(({ errors }) => errors)
  expect(problems).toEqual([])

  const { metadata, spec } = await podSpec([], [file])
  expect(metadata.labels).toMatchObject({ name: 'core-dump-ds', team: 'a' })
  expect(metadata.annotations).toMatchObject({ 'prometheus.io/scrape': 'never' })
  const levels = spec.containers[0]!.env.filter(({ name }) => name === 'LOG_LEVEL')
  expect(levels).toEqual([{ name: 'LOG_LEVEL', value: 'warn' }])
})
