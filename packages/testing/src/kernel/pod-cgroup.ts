import { globSync, readdirSync, rmdirSync } from 'node:fs'
import { dirname, join } from 'node:path'

const OURS = 'core-dump-handler-test'

/**
 * Cgroup of the tests' pods in every hierarchy, shaped as a nested node's kubelet does. Not
 * `/kubepods`: a kubelet on this machine kills processes there whose pods it does not know.
 */
export function podsCgroup(inside?: string): string {
  return [OURS, inside, 'kubepods/burstable'].filter((part) => part !== undefined).join('/')
}

/** Remove a pod's cgroup, and those above it that are empty by then. */
export function removeCgroups(pod: string): void {
  for (const cgroup of globSync(`/sys/fs/cgroup/{*/,}${pod}`)) {
    removeEmptyCgroups(cgroup)
    for (let parent = dirname(cgroup); parent.includes(OURS);) {
      if (!remove(parent)) break // another pod is there
      parent = dirname(parent)
    }
  }
}

/** Remove a cgroup and all below it in which no process is. */
export function removeEmptyCgroups(cgroup: string): void {
  for (const entry of readdirSync(cgroup, { withFileTypes: true })) {
    if (entry.isDirectory()) removeEmptyCgroups(join(cgroup, entry.name))
  }
  remove(cgroup)
}

function remove(cgroup: string): boolean {
  try {
    rmdirSync(cgroup)
    return true
  } catch {
    return false
  }
}
