import { defineConfig, type ViteUserConfig } from 'vitest/config'

const config: ViteUserConfig = defineConfig({
  test: {
    root: new URL('.', import.meta.url).pathname,
    include: ['tests/*.test.ts'],
    setupFiles: [new URL('../vitest.setup.ts', import.meta.url).pathname],
    // the first run may have to make a tool
    testTimeout: 300_000,
  },
})

export default config
