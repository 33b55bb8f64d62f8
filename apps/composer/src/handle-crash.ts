import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Arguments } from './arguments/parse.ts'
import { compose } from './compose.ts'
import { ofWhichCrash } from './crash/crash.ts'
import { leave } from './ending/leave.ts'
import { Log } from './log/log.ts'
import { offerToOomKiller } from './priority.ts'
import { messageOf } from './log/message-of.ts'
import { Problems } from './log/problems.ts'
import { openProgress } from './terminal/progress.ts'
import { say } from './terminal/say.ts'
import { loadSettings } from './settings/load.ts'
import { CoreSource } from './source.ts'
import { Stop } from './ending/stop.ts'
import type { Outcome, Task } from './task.ts'

// what is under way when the time is up must end soon: then the process ends without it
const GRACE_MS = 10_000
// the kernel starts handlers as children of kthreadd
const KTHREADD = 2

/** Sets one run up, and tells its end: path on stdout, log flushed, exit code. */
export async function handleCrash(args: Arguments, home: string | undefined): Promise<number> {
  const stop = new Stop()
  stop.onSignals()
  stop.onFaults()
  // libuv reads it once, before its first use: a thread per compressor, and one for the file
  process.env['UV_THREADPOOL_SIZE'] ??= String(Math.min(availableParallelism() + 1, 8) + 1)
  const log = new Log({ path: home === undefined ? undefined : join(home, 'composer.log') })
  const problems = new Problems(({ code, message }) => log.write('warn', `${code}: ${message}`))
  for (const { code, message } of args.problems) problems.add(code, message)
  const settings = loadSettings(home, process.env, problems)
  // a person at a terminal wants to hear of what went wrong, a log file of everything
  log.setLevel(home === undefined && !process.env['LOG_LEVEL'] ? 'warn' : settings.logLevel)
  stop.onTimeout(timeoutMs(args, problems) ?? settings.timeoutMs)
  stop.signal.addEventListener('abort', () => {
    log.write('error', stop.cause?.message ?? '')
    setTimeout(() => {
      log.flush()
      void leave(stop.cause?.exitCode ?? 1)
    }, GRACE_MS)
  })
  const byKernel = process.ppid === KTHREADD
  if (byKernel) offerToOomKiller()
  const progress = home === undefined ? await openProgress() : undefined
  const source = new CoreSource(() => {
    progress?.end()
    log.flush()
  })
  const onProgress = progress?.update
  const { exitCode, path } = await attempt({
    args,
    settings,
    home,
    byKernel,
    problems,
    log,
    stop,
    source,
    onProgress,
  })
  if (path !== undefined) say(1, `${path}\n`)
  return exitCode
}

async function attempt(task: Task): Promise<Outcome> {
  const { args, source, stop, log } = task
  try {
    return await compose(task)
  } catch (error) {
    // the only record there will be
    log.write('error', `Could not make a bundle${ofWhichCrash(args)}: ${messageOf(error)}`)
    return { exitCode: stop.cause?.exitCode ?? 1 }
  } finally {
    // whatever happened: nobody is held by a composer that has given up
    source.release()
  }
}

/** `-T`: seconds, as TIMEOUT. */
function timeoutMs({ values: { timeout } }: Arguments, problems: Problems): number | undefined {
  if (timeout === undefined || timeout === '') return undefined
  if (/^[1-9]\d{0,5}$/.test(timeout)) return Number(timeout) * 1000
  problems.add('BAD_ARGUMENT', `Expected seconds after \`--timeout\`, got \`${timeout}\``)
  return undefined
}
