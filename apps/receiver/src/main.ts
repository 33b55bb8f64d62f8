import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { nameOfPartFile } from '@core-dump-handler/bundle'
import { errorMessage } from '@core-dump-handler/capture'
import { AgentLink, DEFAULT_HOST_DIR } from './link/agent-link.ts'
import { Log } from './log.ts'
import { Receiver } from './receiver.ts'
import { forbidOwnCore } from './system/libc.ts'
import { startWatchdog } from './watchdog.ts'

/** V8 lets its heap grow up to fourfold before it collects it: in a storm that is 10 MiB of garbage or more. */
const HEAP_FLAGS = ['--heap-growing-percent=100', '--optimize-for-size']
/** Before the agent kills this process, after 10 s: a thread that waits for a disk outlives SIGKILL, with all it holds. */
const WATCHDOG_MS = 7000
/** On a disk that hangs each crash that drains keeps one of libuv's threads, or two. */
const POOL_THREADS = 64
/** A crash that has read the pattern connects within this time. */
const SETTLE_MS = 100
/** Less than the 30 s after which the kubelet kills the container. */
const GRACE_MS = 20_000
const FDS = '/proc/self/fd'

/** The daemon, until SIGTERM or SIGINT; resolves with its exit code. `program` is its main file. */
export async function main(
  env: Readonly<NodeJS.ProcessEnv>,
  program: URL,
  version: string,
): Promise<number> {
  // libuv reads it once, before its first use
  process.env['UV_THREADPOOL_SIZE'] ??= String(POOL_THREADS)
  forbidOwnCore()
  for (const flag of HEAP_FLAGS) setFlagsFromString(flag)
  const hostDir = env['HOST_DIR'] || DEFAULT_HOST_DIR
  const log = new Log(hostDir)
  const sysctlRoot = env['SYSCTL_ROOT'] || '/proc/sys'
  process.on('uncaughtException', (error) => {
    // one crash must not end the others
    log.write('error', `A fault of the receiver itself: ${error.stack ?? error.message}`)
  })
  const ended = new Promise<string>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT']) process.on(name, () => resolve(name))
  })
  let stopping = false
  let receiver: Receiver
  let link: AgentLink
  try {
    const nodeHostname = env['NODE_NAME'] || hostname()
    receiver = new Receiver({
      hostDir,
      env,
      nodeHostname,
      version,
      log,
      onWaits: (pid) => link.waits(pid),
      onWaitsNoLonger: (pid) => link.waitsNoLonger(pid),
    })
    link = new AgentLink({
      hostDir,
      log,
      state: () => ({
        pid: process.pid,
        version,
        path: receiver.path,
        active: receiver.active,
        captured: receiver.captured,
        stopping,
        parts: receiver.active === 0 ? [] : openParts(),
      }),
      onLost: (pipePattern) => fallBackToPipe(receiver.path, pipePattern, sysctlRoot, log),
    })
    startWatchdog(program, WATCHDOG_MS)
    await receiver.listen()
    await link.listen()
  } catch (error) {
    log.write('error', errorMessage(error))
    return 1
  }
  log.write('info', `Listening on ${receiver.path}`)

  const signal = await ended
  log.write('info', `Ending on ${signal}`)
  stopping = true
  if (link.pipePattern !== undefined) {
    fallBackToPipe(receiver.path, link.pipePattern, sysctlRoot, log)
  }
  link.report()
  await sleep(SETTLE_MS)
  await receiver.close(GRACE_MS)
  link.close()
  return 0
}

/** Names of the unfinished bundles that this process has open. */
function openParts(): readonly string[] {
  return readdirSync(FDS).flatMap((fd) => {
    try {
      const name = basename(readlinkSync(`${FDS}/${fd}`))
      return nameOfPartFile(name) === undefined ? [] : [name]
    } catch {
      return [] // closed meanwhile
    }
  })
}

/**
 * Has the kernel start the composer again, where it still connects to `socketPath`; a pattern of
 * another program stays. Synchronous: each crash until then may be lost. True where it was written.
 */
function fallBackToPipe(
  socketPath: string,
  pipePattern: string,
  sysctlRoot: string,
  log: Log,
): boolean {
  const file = join(sysctlRoot, 'kernel/core_pattern')
  try {
    if (readFileSync(file, 'utf8').trimEnd() !== `@@${socketPath}`) return false
    writeFileSync(file, `${pipePattern}\n`)
    log.write('warn', 'The kernel starts a composer for each crash again')
    return true
  } catch (error) {
    log.write('error', `Cannot write ${file}: ${errorMessage(error)}`)
    return false
  }
}
