import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { removeScratch, scratchDirectory } from '@core-dump-handler/testing/scratch-directory'
import { Random, seedOf } from '../generate/random.ts'
import type { Fuzzing, Target } from './target.ts'
import { startWatchdog, type Watchdog } from './watchdog.ts'

export interface FuzzOptions {
  readonly seed: number
  readonly seconds: number
  /** Only this round. */
  readonly round?: number
}

export interface FuzzReport {
  readonly rounds: number
  readonly seconds: number
  readonly summary?: string
}

/** A round takes milliseconds, with a program a second: a longer one hangs. */
const ROUND_MS = 30_000
/** Descriptors that may be open at the end of a run and were not at its beginning. */
const SPARE_DESCRIPTORS = 8

/** Fuzz a target until the time is over; a broken promise is an error with the command that repeats it. */
export async function fuzz(target: Target, options: FuzzOptions): Promise<FuzzReport> {
  const directory = scratchDirectory()
  const started = performance.now()
  const { roundMs = ROUND_MS } = target
  const watchdog = startWatchdog(2 * roundMs)
  using uncaught = new UncaughtErrors()
  let fuzzing: Fuzzing | undefined
  let round = options.round ?? 0
  try {
    fuzzing = await target.begin(directory)
    const before = descriptors()
    do {
      watchdog.pat(again(target, options.seed, round))
      const random = new Random(seedOf(options.seed, round))
      await once(fuzzing, random, join(directory, 'round'), roundMs)
      await turn()
      uncaught.assertNone()
      round++
    } while (options.round === undefined && since(started) < options.seconds)
    const left = descriptors() - before
    if (left > SPARE_DESCRIPTORS) throw new Error(`${left} descriptors were left open`)
    const rounds = options.round === undefined ? round : 1
    const summary = fuzzing.summary?.()
    return { rounds, seconds: since(started), ...(summary !== undefined && { summary }) }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`${why}\nrepeat it with: ${again(target, options.seed, round)}`, { cause })
  } finally {
    await end(watchdog, fuzzing)
    removeScratch(directory)
  }
}

async function once(
  fuzzing: Fuzzing,
  random: Random,
  directory: string,
  limitMs: number,
): Promise<void> {
  mkdirSync(directory)
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`hangs for ${limitMs} ms`)), limitMs)
  try {
    await Promise.race([fuzzing.round(random, directory), late.promise])
  } finally {
    clearTimeout(timer)
    rmSync(directory, { recursive: true, force: true })
  }
}

async function end(watchdog: Watchdog, fuzzing: Fuzzing | undefined): Promise<void> {
  await fuzzing?.end?.()
  await watchdog.stop()
}

function again({ name }: Target, seed: number, round: number): string {
  return `npm run fuzz -- --target ${name} --seed ${seed} --round ${round}`
}

function since(started: number): number {
  return (performance.now() - started) / 1000
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length
}

/** Uncaught errors: in the program they would have ended it. */
class UncaughtErrors implements Disposable {
  readonly #errors: unknown[] = []
  readonly #note = (error: unknown): void => void this.#errors.push(error)

  constructor() {
    process.on('uncaughtException', this.#note)
    process.on('unhandledRejection', this.#note)
  }

  assertNone(): void {
    const [error] = this.#errors.splice(0)
    if (error === undefined) return
    const why = error instanceof Error ? (error.stack ?? error.message) : JSON.stringify(error)
    throw new Error(`uncaught: ${why}`, { cause: error })
  }

  [Symbol.dispose](): void {
    process.off('uncaughtException', this.#note)
    process.off('unhandledRejection', this.#note)
  }
}
