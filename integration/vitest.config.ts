import { defineConfig, type ViteUserConfig } from 'vitest/config'
import { conditions } from '../vitest.config.ts'

const config: ViteUserConfig = defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    root: new URL('.', import.meta.url).pathname,
    include: ['**/*.test.ts'],
    // kernel.core_pattern is one setting for the whole machine
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 300_000,
    teardownTimeout: 60_000,
  },
})

export default config
