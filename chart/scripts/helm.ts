import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { findTool } from '@core-dump-handler/testing/tools/find-tool'
import { CHART } from './presets.ts'

const execFileAsync = promisify(execFile)

export interface RenderOptions {
  readonly release?: string
  readonly namespace?: string
  /** Values files, later ones win. */
  readonly files?: readonly string[]
  /** `key=value`, as for `helm --set`. */
  readonly set?: readonly string[]
}

/** What every render needs beside its own values: an image and a place for the bundles. */
export const LEAST: readonly string[] = [
  'image.registry=registry.example',
  'destination=s3://cores/cluster-1',
]

/** Run helm with arguments of your own; rejects with what helm printed. */
export async function helm(args: readonly string[]): Promise<string> {
  const program = await findTool('helm')
  try {
    const { stdout } = await execFileAsync(program, args, { maxBuffer: 32 << 20 })
    return stdout
  } catch (cause) {
    const { stderr = '', stdout = '' } = cause as { stderr?: string; stdout?: string }
    throw new Error(stderr.trim() || stdout.trim() || String(cause), { cause })
  }
}

/** `helm template` of the chart, as text. */
export async function render(options: RenderOptions = {}): Promise<string> {
  const { release = 'core-dump-handler', namespace = 'observe', files = [], set = LEAST } = options
  return await helm([
    'template',
    release,
    CHART,
    `--namespace=${namespace}`,
    ...files.flatMap((file) => ['--values', file]),
    ...set.flatMap((pair) => ['--set', pair]),
  ])
}
