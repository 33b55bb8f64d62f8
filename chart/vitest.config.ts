import { defineConfig, type ViteUserConfig } from 'vitest/config'
import { conditions as all } from '../vitest.config.ts'

// a `module` build is for bundlers: Node cannot load that of the AWS SDK
const conditions = all.filter((condition) => condition !== 'module')

const config: ViteUserConfig = defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    root: new URL('.', import.meta.url).pathname,
    include: ['tests/*.test.ts'],
    setupFiles: [new URL('../vitest.setup.ts', import.meta.url).pathname],
    // the first run may have to make a tool
    testTimeout: 300_000,
  },
})

export default config
