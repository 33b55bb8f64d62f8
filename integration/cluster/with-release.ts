import { withKernel, type CoreSysctls } from '@core-dump-handler/testing/kernel/kernel'
import type { Cluster } from './cluster.ts'
import type { Release } from './release.ts'

/**
 * Lock the kernel's settings while `task` installs the release and crashes programs. They are restored
 * after the last agent has ended, which could set them again: where the release cannot be uninstalled,
 * the whole cluster is stopped.
 */
export async function withRelease(
  cluster: Cluster,
  release: Release,
  task: (before: CoreSysctls) => Promise<void>,
): Promise<void> {
  await withKernel(async (before) => {
    try {
      await task(before)
    } catch (error) {
      throw new Error(await release.describe(), { cause: error })
    } finally {
      await endAgents(cluster, release)
    }
  })
}

/** Do the same until the returned function is called: for a group of tests that share one installed release. */
export async function installRelease(
  cluster: Cluster,
  release: Release,
): Promise<() => Promise<void>> {
  const installed = Promise.withResolvers<void>()
  const over = Promise.withResolvers<void>()
  const done = withRelease(cluster, release, async () => {
    await release.install()
    installed.resolve()
    await over.promise
  })
  await Promise.race([installed.promise, done])
  return async () => {
    over.resolve()
    await done
  }
}

async function endAgents(cluster: Cluster, release: Release): Promise<void> {
  try {
    if (await release.isInstalled()) await release.uninstall()
  } catch {
    await cluster.stop()
  }
}
