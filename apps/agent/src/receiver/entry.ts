import { AgentError } from '../error.ts'
import { CORE_PATTERN, socketPattern } from '../node/sysctls.ts'
import type { AgentSettings } from '../settings/read-settings.ts'

/** A program cannot be run on the node, or not by the kernel. */
const DENIED: ReadonlySet<AgentError['code']> = new Set(['SELF_TEST', 'CANARY'])

/** How crashes come, and why not in the better way. */
export interface Entry {
  /** `none`: the kernel would connect to a receiver, and none listens; crashes are lost. */
  readonly entry: 'socket' | 'pipe' | 'none'
  readonly detail: string
}

/** The kernel connects to a receiver, by the way that needs no privilege. */
export function entryByComposer(version: string): Entry {
  const who = 'a composer that the kernel started has set the pattern'
  return { entry: 'socket', detail: `the kernel connects to the receiver ${version}; ${who}` }
}

/**
 * Where the agent sets no pattern, and has no composer set one. `pattern`: the one in force;
 * `version`: of the receiver that listens.
 */
export function entryWithoutFallback(
  pattern: string,
  version: string | undefined,
  { hostDir, kernelManagedBy }: Pick<AgentSettings, 'hostDir' | 'kernelManagedBy'>,
): Entry {
  const isNode = kernelManagedBy === 'node'
  const who = isNode ? 'the configuration of this node' : 'an init container'
  const why = `${who} has set the pattern, not a composer that the kernel starts, because KERNEL_MANAGED_BY is \`${kernelManagedBy}\``
  const wanted = socketPattern(hostDir)
  if (pattern === wanted) {
    return version === undefined
      ? {
          entry: 'none',
          detail: 'no receiver listens: crashes wait for one for 10 s, then they are lost',
        }
      : { entry: 'socket', detail: `the kernel connects to the receiver ${version}; ${why}` }
  }
  return isNode
    ? { entry: 'pipe', detail: `${why}: for the receiver it has to be \`${wanted}\`` }
    : { entry: 'none', detail: `${CORE_PATTERN} is no longer that of the receiver` }
}

/**
 * Where the node cannot run the composer, or the kernel may not, a receiver may still work; `noSocket`: why it
 * cannot.
 */
export function adviseReceiver(
  error: unknown,
  receiverMode: AgentSettings['receiverMode'],
  noSocket: string | undefined,
): unknown {
  const isDenied = error instanceof AgentError && DENIED.has(error.code)
  if (!isDenied || receiverMode === 'off' || noSocket !== undefined) return error
  return new AgentError(
    error.code,
    `${error.message}. The receiver needs no program that the kernel runs: set KERNEL_MANAGED_BY to init-container or node`,
    { cause: error },
  )
}
