import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import { findTool, type ToolName } from '@core-dump-handler/testing/tools/find-tool'
import { GOLDEN } from '../scripts/golden-renders.ts'

const FILE = '{{.ResourceKind}}{{.KindSuffix}}.json'

const REPORT = v.object({
  resources: v.optional(v.array(v.looseObject({ filename: v.string(), msg: v.string() })), []),
  summary: v.looseObject({ valid: v.number() }),
})

async function kubeconform(
  schemas: ToolName,
  ...paths: string[]
): Promise<v.InferOutput<typeof REPORT>> {
  const program = await findTool('kubeconform')
  const places = [await findTool(schemas), await findTool('monitoring-schemas')]
  const args = [
    '-strict',
    '-summary',
    '-output=json',
    // no published module has the schema of OpenShift's own kind; tests/security_test.yaml tests it
    '-skip=SecurityContextConstraints',
    ...places.flatMap((place) => ['-schema-location', join(place, FILE)]),
  ]
  // it reports what is wrong with exit code 1
  const { stdout } = await execa(program, [...args, ...paths], { reject: false })
  return v.parse(REPORT, JSON.parse(stdout))
}

const VERSIONS = { '1.37': 'schemas', '1.35': 'schemas-1.35', '1.33': 'schemas-1.33' } as const

describe.each(Object.entries(VERSIONS))('Kubernetes %s', (_, schemas) => {
  test('takes every object of every render', async () => {
    const { resources, summary } = await kubeconform(schemas, GOLDEN)
    expect(resources.map(({ filename, msg }) => `${filename}: ${msg}`)).toEqual([])
    expect(summary.valid).toBeGreaterThan(100)
  })

  test('takes the pod that restores a node manually', async () => {
    const text = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8')
    const [, manifest] = /```yaml\n(apiVersion: v1\nkind: Pod\n[\s\S]*?)```/.exec(text) ?? []
    const scratch = await mkdtemp(join(tmpdir(), 'kubeconform-'))
    try {
      await writeFile(join(scratch, 'pod.yaml'), manifest!)
      const { resources, summary } = await kubeconform(schemas, scratch)
      expect(resources).toEqual([])
      expect(summary.valid).toBe(1)
    } finally {
      await rm(scratch, { recursive: true })
    }
  })

  test('would find a misspelt field', async () => {
    const scratch = await mkdtemp(join(tmpdir(), 'kubeconform-'))
    try {
      const wrong = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'x' },
        spec: { hostPid: true },
      }
      await writeFile(join(scratch, 'wrong.yaml'), JSON.stringify(wrong))
      const { resources } = await kubeconform(schemas, scratch)
      expect(resources.map(({ msg }) => msg).join()).toMatch(/hostPid/)
    } finally {
      await rm(scratch, { recursive: true })
    }
  })
})
