import type { ToolName } from '@core-dump-handler/testing/tools/find-tool'

/** One run of vitest. */
export interface Part {
  readonly name: string
  readonly what: string
  /** Arguments of `vitest run`. */
  readonly args: readonly string[]
  /** Had before it starts: its tests only look whether they are there. */
  readonly tools?: readonly ToolName[]
}

const INTEGRATION = ['--config', 'integration/vitest.config.ts']

/** In the order of how soon they tell that something is wrong. */
export const PARTS: readonly Part[] = [
  {
    name: 'unit',
    what: 'each package and app by itself, from sources',
    args: [],
    tools: ['versitygw'],
  },
  {
    name: 'package',
    what: 'published shape, README examples, packed tarballs on Node 22.18, 24 and 26',
    args: [...INTEGRATION, 'integration/package/'],
  },
  {
    name: 'chart',
    what: 'every value, preset and refusal, the objects against three Kubernetes versions, the alert rules',
    args: ['--config', 'chart/vitest.config.ts'],
  },
  {
    name: 'integration',
    what: 'the whole chain on this kernel, containerd, object stores and a cluster',
    args: [...INTEGRATION, '--exclude', 'package/**'],
  },
]
