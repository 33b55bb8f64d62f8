import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { findTool, type ToolName } from '@core-dump-handler/testing/tools/find-tool'
import { GOLDEN } from '../scripts/golden-renders.ts'

const execFileAsync = promisify(execFile)
const FILE = '{{.ResourceKind}}{{.KindSuffix}}.json'

interface Report {
  readonly resources: readonly { readonly filename: string; readonly msg: string }[]
  readonly summary: { readonly valid: number; readonly skipped: number }
}

async function kubeconform(schemas: ToolName, ...paths: string[]): Promise<Report> {
  const program = await findTool('kubeconform')
  const places = [await findTool(schemas), await findTool('monitoring-schemas')]
  const args = [
    '-strict',
    '-summary',
    '-output=json',
    // no published module carries the schema of OpenShift's own kind; tests/security_test.yaml looks at it
    '-skip=SecurityContextConstraints',
    ...places.flatMap((place) => ['-schema-location', join(place, FILE)]),
  ]
  const { stdout } = await execFileAsync(program, [...args, ...paths], {
    maxBuffer: 32 << 20,
  }).catch(
    // it reports what is wrong with exit code 1
    (error: unknown) => error as { stdout: string },
  )
  return JSON.parse(stdout) as Report
}

const VERSIONS = { '1.37': 'schemas', '1.35': 'schemas-1.35', '1.33': 'schemas-1.33' } as const

describe.each(Object.entries(VERSIONS))('Kubernetes %s', (_, schemas) => {
  test('takes every object of every render', async () => {
    const { resources, summary } = await kubeconform(schemas, GOLDEN)
    expect(resources.map(({ filename, msg }) => `${filename}: ${msg}`)).toEqual([])
    expect(summary.valid).toBeGreaterThan(100)
  })

  test('takes the pod by which a node is given back by hand', async () => {
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
