import { problem } from '../problem.ts'
import { containerIds } from '../process/cgroup.ts'
import { snapshotBy } from '../process/snapshot-within.ts'
import type { ProcessSnapshot } from '../process/types.ts'
import { type Asking, complain } from './context.ts'

const NONE: ReadonlyMap<string, Buffer> = new Map()

/** The files asked for of a container's first process, if it still is that. */
export async function initFilesOf(
  id: string,
  pid: number | undefined,
  crashed: ProcessSnapshot | undefined,
  asking: Asking,
): Promise<ReadonlyMap<string, Buffer>> {
  const { includeProcessFiles: names, procRoot: root } = asking.options
  if (names.length === 0 || pid === undefined || pid <= 0) return NONE
  // it is the process that crashed, and gone by now: what was read of it then serves
  if (crashed?.pid === pid && crashed.stable) {
    return new Map([...crashed.files].filter(([name]) => names.includes(name)))
  }
  const init = await snapshotBy(asking.memory, pid, { root, includeFiles: names })
  for (const one of init.problems) complain(asking, one)
  // a runtime in a pid namespace of its own tells pids that are others' here
  if (init.cgroup === undefined || containerIds(init.cgroup).includes(id)) return init.files
  const message = `Process ${pid}, by the runtime the first of container ${id}, is not in that container`
  complain(asking, problem('PROCESS_CHANGED', message))
  return NONE
}
