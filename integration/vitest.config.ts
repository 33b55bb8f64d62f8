import { defineConfig, type ViteUserConfig } from 'vitest/config'
import { conditions as all } from '../vitest.config.ts'

// a `module` build is for bundlers: Node cannot load that of the AWS SDK
const conditions = all.filter((condition) => condition !== 'module')

const config: ViteUserConfig = defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    root: new URL('.', import.meta.url).pathname,
    globalSetup: ['global-setup.ts'],
    include: ['**/*.test.ts'],
    // kernel.core_pattern is one setting for the whole machine
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 300_000,
    teardownTimeout: 60_000,
  },
})

export default config
