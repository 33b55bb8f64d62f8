import type { BlockingCalls } from '../blocking-calls.ts'
import { containerIds } from '../process/cgroup.ts'
import { MAX_FILE_BYTES } from '../process/snapshot-process.ts'
import { snapshotProcessWithin } from '../process/snapshot-process-within.ts'
import type { ProcessSnapshot } from '../process/types.ts'
import { type Warning, warning } from '../error.ts'

type Files = ReadonlyMap<string, Buffer>

const NONE: Files = new Map()
// for all containers of a pod: five files of the largest size; their contents are the pod's choice
const MAX_BYTES = 5 * MAX_FILE_BYTES

/** Reads files of the first processes of containers, one container at a time and within one budget. */
export interface InitFiles {
  /** Of the container `id` whose first process is `pid`; `crashed` is the process that crashed. */
  read(
    id: string,
    pid: number | undefined,
    crashed: ProcessSnapshot | undefined,
    onWarning: (added: Warning) => void,
  ): Promise<Files>
}

export function createInitFiles(
  names: readonly string[],
  root: string,
  calls: BlockingCalls,
): InitFiles {
  let bytesLeft = MAX_BYTES
  let previous: Promise<unknown> = Promise.resolve()

  async function readNow(
    id: string,
    pid: number,
    onWarning: (added: Warning) => void,
  ): Promise<Files> {
    const maxFileBytes = Math.min(MAX_FILE_BYTES, Math.floor(bytesLeft / names.length))
    const options = { root, includeFiles: names, maxFileBytes, blockingCalls: calls }
    const init = await snapshotProcessWithin(pid, options)
    for (const one of init.warnings) onWarning(one)
    // a runtime in another pid namespace names pids that belong to other processes here
    if (init.cgroup !== undefined && !containerIds(init.cgroup).includes(id)) {
      const message = `Process ${pid}, which the runtime names as the first of container ${id}, is not in it`
      onWarning(warning('PROCESS_CHANGED', message))
      return NONE
    }
    for (const { length } of init.files.values()) bytesLeft -= length
    return init.files
  }

  return {
    read: async (id, pid, crashed, onWarning) => {
      if (names.length === 0 || pid === undefined || pid <= 0) return NONE
      // it is the process that crashed and may be gone: its files are those of the snapshot
      if (crashed?.pid === pid && crashed.stable) {
        return new Map([...crashed.files].filter(([name]) => names.includes(name)))
      }
      const next = previous.then(() => readNow(id, pid, onWarning))
      previous = next.catch(() => {})
      return next
    },
  }
}
