import { withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { everyProcessOf, killProcessesOf } from '@core-dump-handler/testing/processes'
import {
  mountsBelow,
  removeScratch,
  scratchOf,
  staleScratch,
} from '@core-dump-handler/testing/scratch-directory'

/** Remove the left-overs of killed runs; at the end check that this run leaves nothing. */
export default async function setup(): Promise<() => Promise<void>> {
  for (const directory of staleScratch()) clear(directory)
  const before = await sysctls()
  return async () => {
    const left = scratchOf(process.pid).flatMap((directory) => [
      directory,
      ...everyProcessOf(directory).map((pid) => `process ${pid} of ${directory}`),
      ...mountsBelow(directory).map((mount) => `mount ${mount}`),
    ])
    for (const directory of scratchOf(process.pid)) clear(directory)
    const after = await sysctls()
    if (after !== before) left.push(`the sysctls are ${after}, were ${before}`)
    if (left.length > 0) throw new Error(`The tests left something behind:\n${left.join('\n')}`)
  }
}

// another run may have changed them: they are read under its lock
async function sysctls(): Promise<string> {
  return process.getuid?.() === 0 ? withKernel(async (values) => JSON.stringify(values)) : ''
}

function clear(directory: string): void {
  killProcessesOf(directory)
  removeScratch(directory)
}
