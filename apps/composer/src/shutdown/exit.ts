const TIMEOUT_MS = 1000

/**
 * Ends the program. `process.exit` joins libuv's threads, and one may be in a read that never
 * returns: of the memory of a hostile process, of a log on a dead disk. Then only SIGKILL ends it;
 * by now no process is held, and what could be written is.
 */
export async function exit(exitCode: number): Promise<never> {
  const deadlineMs = performance.now() + TIMEOUT_MS
  while (isReading() && performance.now() < deadlineMs) await sleep(20)
  if (isReading()) process.kill(process.pid, 'SIGKILL')
  process.exit(exitCode)
}

function isReading(): boolean {
  return process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq'))
}

// not node:timers/promises: it would be loaded at the start, while a process is held
function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
