const PATIENCE_MS = 1000

/**
 * Ends the program. `process.exit` joins libuv's threads, and one may be in a read that never
 * returns: of the memory of a hostile process, of a log on a dead disk. Then only SIGKILL ends it;
 * by now nobody is held, and what could be written is.
 */
export async function leave(exitCode: number): Promise<never> {
  const until = performance.now() + PATIENCE_MS
  while (isReading() && performance.now() < until) await soon()
  if (isReading()) process.kill(process.pid, 'SIGKILL')
  process.exit(exitCode)
}

function isReading(): boolean {
  return process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq'))
}

// not node:timers/promises: it is loaded at the start, while a process is held
function soon(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20))
}
