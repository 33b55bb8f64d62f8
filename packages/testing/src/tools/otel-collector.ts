import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { goBuild, goEnv } from './go.ts'
import type { Workshop } from './tool.ts'

export const COLLECTOR = '0.165.0'

const MAIN = new URL('./otel-collector.go', import.meta.url).pathname
const MODULES = ['otelcol', 'exporter/debugexporter', 'receiver/otlpreceiver']

/** The published collectors have a hundred more parts, and are no Go modules. */
export async function makeOtelCollector(shop: Workshop): Promise<void> {
  await goBuild(shop, {
    name: 'otel-collector',
    pkg: '.',
    module: async (dir, go) => {
      const lines = MODULES.map(
        (name) => `require go.opentelemetry.io/collector/${name} v${COLLECTOR}`,
      )
      await writeFile(join(dir, 'go.mod'), ['module collector', 'go 1.26', ...lines, ''].join('\n'))
      await copyFile(MAIN, join(dir, 'main.go'))
      await execa(go, ['mod', 'tidy'], { cwd: dir, env: goEnv({ GOFLAGS: '' }) })
    },
  })
}
