import { existsSync, linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { composersOf } from '@core-dump-handler/testing/processes'
import { until } from '@core-dump-handler/testing/until'

/** Composers that stop before the snapshot, until they are continued. */
export interface HeldComposers {
  /** Wait for the composer of the crash of `hostPid`; returns a function that continues it. */
  of(hostPid: number): Promise<() => void>
  /** Have the kernel call the composer directly again, and continue those that still wait. */
  end(): void
}

/** Put a script that stops itself in front of the composer in `hostDir`. */
export function holdComposers(hostDir: string): HeldComposers {
  const called = join(hostDir, 'cdc')
  const composer = join(hostDir, 'cdc-held')
  // stays: a continued script runs it after the end
  if (!existsSync(composer)) linkSync(called, composer)
  rmSync(called)
  const script = `#!/bin/sh\nkill -STOP $$\nCOMPOSER_HOME='${hostDir}' exec '${composer}' "$@"\n`
  writeFileSync(called, script, { mode: 0o700 })
  const held = new Set<number>()
  const letGo = (pid: number): void => {
    if (held.delete(pid)) process.kill(pid, 'SIGCONT')
  }
  return {
    async of(hostPid) {
      const { pid } = await until(`the composer for ${hostPid} stops`, () =>
        composersOf(hostDir).find(
          (each) => each.hostPid === hostPid && !held.has(each.pid) && isStopped(each.pid),
        ),
      )
      held.add(pid)
      return () => letGo(pid)
    },
    end() {
      linkSync(composer, `${called}-again`)
      renameSync(`${called}-again`, called)
      for (const { pid } of composersOf(hostDir)) if (isStopped(pid)) held.add(pid)
      for (const pid of held) letGo(pid)
    },
  }
}

function isStopped(pid: number): boolean {
  try {
    return /^State:\tT/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false // it has ended
  }
}
