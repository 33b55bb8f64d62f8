import { withKernel, type CoreSysctls } from '../harness/kernel.ts'
import type { Cluster } from './cluster.ts'
import type { Release } from './release.ts'

/**
 * Have the kernel while `task` installs the release and lets things crash. The kernel is given back
 * when no agent is left that could take it again; where the release cannot be uninstalled, the whole
 * cluster is stopped for that.
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
      await leave(cluster, release)
    }
  })
}

async function leave(cluster: Cluster, release: Release): Promise<void> {
  try {
    if (await release.isInstalled()) await release.uninstall()
  } catch {
    await cluster.stop()
  }
}
