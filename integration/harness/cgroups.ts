import { globSync, rmdirSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Cgroup of our pods in every hierarchy, shaped as the kubelet's own of a nested node is. Not the
 * plain `/kubepods`: a kubelet on this machine kills whatever runs there in pods it does not know.
 */
export const CGROUP = 'core-dump-handler-test/kubepods/burstable'

/** Remove a pod's cgroups, and those above it that are empty by then. */
export function removeCgroups(pod: string): void {
  for (const cgroup of globSync(`/sys/fs/cgroup/{*/,}${CGROUP}/${pod}`)) {
    rmdirSync(cgroup)
    for (let parent = dirname(cgroup); parent.includes('core-dump-handler-test');) {
      try {
        rmdirSync(parent)
      } catch {
        break // another pod is there
      }
      parent = dirname(parent)
    }
  }
}
