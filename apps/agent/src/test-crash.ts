import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { isSea } from 'node:sea'
import type { CommandContext } from './command.ts'

const LOOK_MS = 1000

/**
 * Let a process of our own crash and wait until the agent of this node says that its bundle is
 * in the store: kernel, composer, look-up, keys and network in one go. What `helm test` runs.
 */
export async function testCrash({ env, log, signal }: CommandContext): Promise<number> {
  const url = env['AGENT_URL'] ?? `http://127.0.0.1:${env['HEALTH_PORT'] ?? 9760}`
  const seconds = Number(env['TEST_TIMEOUT_SECONDS'] ?? 120)
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)])
  const canary = `canary-${randomBytes(4).toString('hex')}`
  await letCrash(canary)
  log.info({ canary, agent: url }, 'crashed; waiting for its bundle')

  let last = 'no answer yet'
  while (!deadline.aborted) {
    try {
      const answer = await fetch(new URL(`/delivered/${canary}`, url), { signal: deadline })
      last = (await answer.text()).trim()
      if (answer.ok) {
        log.info({ canary, bundle: last }, 'the store has it')
        return 0
      }
    } catch (error) {
      if (!deadline.aborted) last = String(error instanceof Error ? error.cause : error)
    }
    await sleep(LOOK_MS, undefined, { signal: deadline }).catch(() => undefined)
  }
  const readiness = await fetch(new URL('/readyz', url), { signal: AbortSignal.timeout(5000) })
    .then((answer) => answer.text())
    .catch((error: unknown) => String(error))
  log.error({ canary, seconds, last, readiness }, 'its bundle did not arrive')
  return 1
}

/** Resolves once the child has ended, which is once the kernel has handed its core over. */
export async function letCrash(canary: string): Promise<void> {
  const script = isSea() ? [] : [...process.execArgv, process.argv[1] ?? '']
  const child = spawn(process.execPath, [...script, 'crash-now', canary], {
    // one executable serves several programs: the name says which
    ...(isSea() && { argv0: 'core-dump-agent' }),
    env: {},
    stdio: 'ignore',
    // where the kernel writes cores to files instead, none can be left here
    cwd: '/proc',
  })
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
  if (signal !== 'SIGABRT') throw new Error(`The canary did not crash: ended with ${signal}`)
}

/** The canary itself: under its own name, with next to no memory in its core. */
export async function crashNow(canary: string): Promise<number> {
  process.title = canary
  writeFileSync('/proc/self/coredump_filter', '0')
  process.abort()
}
