import { findTool } from '@core-dump-handler/testing/tools/find-tool'
import { execa } from 'execa'
import { CHART } from './presets.ts'

export interface RenderOptions {
  readonly release?: string
  readonly namespace?: string
  /** Values files, later ones win. */
  readonly files?: readonly string[]
  /** `key=value`, as for `helm --set`. */
  readonly set?: readonly string[]
}

/** The two values without a default: an image and a destination. */
export const LEAST: readonly string[] = [
  'image.registry=registry.example',
  'destination=s3://cores/cluster-1',
]

/** Runs helm; rejects with its message. */
export async function helm(args: readonly string[]): Promise<string> {
  const { failed, stdout, stderr } = await execa(await findTool('helm'), args, {
    reject: false,
    stripFinalNewline: false,
  })
  if (failed) throw new Error(stderr.trim() || stdout.trim() || `helm ${args.join(' ')} failed`)
  return stdout
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
