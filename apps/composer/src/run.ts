import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, setPriority } from 'node:os'
import { join, resolve } from 'node:path'
import {
  captureCrash,
  type CaptureResult,
  createLimiter,
  DescriptorSource,
  errorCode,
  errorMessage,
  Warnings,
} from '@core-dump-handler/capture'
import { type ComposerSettings, loadSettings } from '@core-dump-handler/capture/settings'
import { type Arguments, crashOfArguments, numberAfter } from './arguments.ts'
import { ProcessLimiter } from './concurrency/process-limiter.ts'
import type { HeapSaver } from './heap-saver.ts'
import { composerVersion, koffiPath } from './installation.ts'
import { Log } from './log.ts'
import { exit, Stop } from './shutdown.ts'
import { openProgress, print } from './terminal/print.ts'

/** A core as long as this is worth what saving memory takes. */
const LONG_BYTES = 64 * 2 ** 20
// what is in progress when the time is up must end soon: then the process ends without it
const GRACE_MS = 10_000
// the kernel starts handlers as children of kthreadd
const KTHREADD = 2

/** Captures the crash whose core is on fd 0; resolves with the exit code. */
export async function run(args: Arguments, home: string | undefined): Promise<number> {
  const stop = new Stop()
  stop.onSignals()
  stop.onFaults()
  // libuv reads it once, before its first use: a thread per compressor, for the file, for its free space, and
  // a call that can hang
  process.env['UV_THREADPOOL_SIZE'] ??= String(Math.min(availableParallelism() + 1, 8) + 3)
  const log = new Log({ path: home === undefined ? undefined : join(home, 'composer.log') })
  const warnings = new Warnings(({ code, message }) => log.write('warn', `${code}: ${message}`))
  for (const { code, message } of args.warnings) warnings.add(code, message)
  const settings = settingsOf(args, home, warnings)
  // a person at a terminal reads warnings only; the log file has everything
  log.setLevel(home === undefined && !process.env['LOG_LEVEL'] ? 'warn' : settings.logLevel)
  stop.onTimeout(settings.timeoutMs)
  stop.signal.addEventListener('abort', () => {
    log.write('error', stop.cause?.message ?? '')
    setTimeout(() => {
      log.flush()
      void exit(stop.cause?.exitCode ?? 1)
    }, GRACE_MS)
  })
  const byKernel = process.ppid === KTHREADD
  if (byKernel) offerToOomKiller()
  const progress = home === undefined ? await openProgress() : undefined
  const source = new DescriptorSource(0, {
    elapsedMs: () => process.uptime() * 1000,
    onRelease: () => {
      progress?.end()
      log.flush()
    },
  })
  const onDrainedAlone = (): void => void (byKernel && lowerPriority())
  const { concurrentDrains, timeoutMs } = settings
  const crash = crashOfArguments(args, warnings)
  const collectGarbage = garbageCollector()
  try {
    const result = await captureCrash(crash, source, {
      settings,
      home,
      directory: outputDirectory(args, settings, byKernel, warnings),
      version: composerVersion(),
      warnings,
      log,
      stop,
      limiter:
        home === undefined
          ? createLimiter()
          : new ProcessLimiter({ home, concurrentDrains, timeoutMs, onDrainedAlone }),
      koffiPath: koffiPath(process.argv[1]),
      onProgress: (bytes) => {
        progress?.update(bytes)
        collectGarbage(bytes)
      },
      onManyThreads: async () => (await import('./heap-saver.ts')).saveHeap(),
      onPublished: () => stop.disarm(),
    })
    if (byKernel && home !== undefined) switchPattern(home, crash.exeName, log)
    if (result.path !== undefined) print(1, `${result.path}\n`)
    return exitCodeOf(result, stop)
  } catch {
    // the reason is in the log
    return stop.cause?.exitCode ?? 1
  }
}

/** To be called with the bytes drained so far. A small core, whose process is held, loads nothing for it. */
function garbageCollector(): (drainedBytes: number) => void {
  let saver: HeapSaver | undefined
  let isLong = false
  return (drainedBytes) => {
    saver?.update(drainedBytes)
    if (isLong || drainedBytes < LONG_BYTES) return
    isLong = true
    void import('./heap-saver.ts').then((module) => {
      saver = new module.HeapSaver(drainedBytes)
    })
  }
}

/** 0, or what v9 has: 1 for a failure, 32 for its time limit; 128 + n for a signal. */
function exitCodeOf({ coreFailed, podMissing }: CaptureResult, { cause }: Stop): number {
  return cause?.exitCode ?? (coreFailed || podMissing ? 1 : 0)
}

/** The settings of this run: `-T` and `-D` come before the environment and `.env`. */
function settingsOf(
  args: Arguments,
  home: string | undefined,
  warnings: Warnings,
): ComposerSettings {
  const settings = loadSettings(home, process.env, warnings)
  const seconds = numberAfter('timeout', args, warnings, /^[1-9]\d{0,5}$/)
  return {
    ...settings,
    ...(seconds !== undefined && { timeoutMs: seconds * 1000 }),
    ...(args.switches.has('disable-compression') && { compressionMode: 'store' }),
  }
}

/** Where the bundle goes: `-d`, else CORE_DIR, else the working directory. */
export function outputDirectory(
  { values: { dir } }: Arguments,
  { coreDir }: ComposerSettings,
  byKernel: boolean,
  warnings: Warnings,
): string {
  if (dir === undefined || dir === '') return resolve(coreDir)
  // our pattern has no -d; before Linux 5.3 a program's name could bring one
  if (byKernel && coreDir !== '' && resolve(dir) !== resolve(coreDir)) {
    warnings.add('IGNORED_DIRECTORY', `Kept to CORE_DIR, the command line has \`${dir}\``)
    return resolve(coreDir)
  }
  return resolve(dir)
}

// CPU and, with it, the priority of reads and writes: ioprio_set(2) derives it from this
const NICE = 10
/** Before what a node is made of and pods with guarantees, after ordinary pods: oom_score_adj, proc(5). */
const OOM_SCORE_ADJ = 200

/** When memory runs out, the node's own work is worth more than a dump. */
function offerToOomKiller(): void {
  ignoringErrors(() => writeFileSync('/proc/self/oom_score_adj', String(OOM_SCORE_ADJ)))
}

/** Once no process is held, the other work of the node comes first. */
function lowerPriority(): void {
  ignoringErrors(() => setPriority(NICE))
}

function ignoringErrors(step: () => void): void {
  try {
    step()
  } catch {
    // forbidden, or no /proc: a priority is never a reason to fail
  }
}

const CORE_PATTERN = '/proc/sys/kernel/core_pattern'

/**
 * Sets the pattern of the receiver, where the agent asks for it in `<home>/.receiver`: the name of
 * the process that it lets crash, and the pattern. A process that the kernel starts may write such a
 * pattern, a pod may not. Call it when the bundle is published.
 */
function switchPattern(home: string, comm: string, log: Log): void {
  let request: string
  try {
    request = readFileSync(join(home, '.receiver'), 'utf8')
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') log.write('warn', errorMessage(error))
    return
  }
  const [name, pattern] = request.split('\n')
  if (name !== comm || pattern !== `@@${join(home, 'receiver.sock')}`) return
  try {
    // a pattern of another program stays
    if (!readFileSync(CORE_PATTERN, 'utf8').startsWith(`|${join(home, 'cdc')} `)) return
    writeFileSync(CORE_PATTERN, `${pattern}\n`)
    log.write('info', 'The kernel connects to the receiver for each crash')
  } catch (error) {
    log.write('error', `Cannot set the pattern \`${pattern}\`: ${errorMessage(error)}`)
  }
}
