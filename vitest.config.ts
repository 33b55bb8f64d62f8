import { availableParallelism } from 'node:os'
import { defineConfig, type ViteUserConfig } from 'vitest/config'

/** Resolve workspace packages to their TypeScript sources, so that tests need no build. */
export const conditions = ['@core-dump-handler/source', 'node', 'development|production']

const config: ViteUserConfig = defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['{packages,apps}/*/src/**/*.test.ts', 'scripts/**/*.test.ts', 'src/**/*.test.ts'],
    setupFiles: [new URL('./vitest.setup.ts', import.meta.url).pathname],
    restoreMocks: true,
    // zip readers print names in the locale of who called them
    env: { LC_ALL: 'C.UTF-8' },
    // much of the time goes into waiting: for disks, for timers, for children
    maxWorkers: Math.ceil(availableParallelism() * 1.5),
    // against what hangs: a busy machine is not a failure
    testTimeout: 60_000,
  },
})

export default config
