import { openSync, readFileSync, writeFileSync } from 'node:fs'
import { errorCode, errorMessage } from '@core-dump-handler/capture'
import { renewBackup } from '@core-dump-handler/sysctl'
import { DEFAULT_HOST_DIR } from './link/agent-link.ts'
import { receiverPattern } from './socket/receiver-pattern.ts'
import { enterMountNamespace } from './system/libc.ts'

const CORE_PATTERN = 'kernel.core_pattern'
const PATTERN_FILE = '/proc/sys/kernel/core_pattern'
const MODES_FILE = '/proc/sys/kernel/core_modes'
/** The kernel's own thread: it is in the mount namespace in which the kernel takes such patterns. */
const KTHREADD = '/proc/2'
/** Patterns of receivers and composers; their programs may be gone when the node is restored. */
const OURS = /^(@@\/\S*\/receiver\.sock$|\|\/\S*\/cdc( |$))/

/**
 * Sets the pattern of the receiver from a container, for nodes whose kernel may run no program: a
 * pattern that begins with `@` is taken only from the initial mount namespace. The value of another
 * program is kept first, in `<HOST_DIR>/core_pattern.bak`, for `core-dump-agent remove`. Needs hostPID,
 * CAP_SYS_PTRACE, CAP_SYS_ADMIN and CAP_SYS_CHROOT. Resolves with the exit code.
 */
export async function setPattern(env: Readonly<NodeJS.ProcessEnv>): Promise<number> {
  const hostDir = env['HOST_DIR'] || DEFAULT_HOST_DIR
  try {
    const pattern = receiverPattern(hostDir)
    assertSockets()
    const found = readFileSync(PATTERN_FILE, 'utf8').trimEnd()
    if (found !== pattern) {
      if (!OURS.test(found)) await renewBackup(CORE_PATTERN, found, { backupDir: hostDir })
      enterNode()
      // from here on the files of this container are out of reach
      writePattern(pattern)
    }
    process.stdout.write(`${CORE_PATTERN} is ${pattern}, was ${found}\n`)
    return 0
  } catch (error) {
    process.stderr.write(`Cannot set ${CORE_PATTERN}: ${errorMessage(error)}\n`)
    return 1
  }
}

/** A kernel without sockets takes the pattern too, for the name of a file. */
function assertSockets(): void {
  let modes: string
  try {
    modes = readFileSync(MODES_FILE, 'utf8')
  } catch {
    throw new Error('this kernel has no coredump sockets: they came with Linux 6.17')
  }
  if (!modes.split('\n').includes('socket')) {
    throw new Error(
      `this kernel has no coredump sockets, only ${modes.trim().split('\n').join(', ')}`,
    )
  }
}

function enterNode(): void {
  try {
    const name = readFileSync(`${KTHREADD}/comm`, 'utf8').trimEnd()
    if (name !== 'kthreadd') throw new Error(`process 2 is ${name}`)
  } catch (error) {
    throw new Error(
      `this container is not in the pid namespace of the node (${errorMessage(error)}); set hostPID`,
      { cause: error },
    )
  }
  try {
    if (enterMountNamespace(openSync(`${KTHREADD}/ns/mnt`, 'r'))) return
  } catch (error) {
    if (errorCode(error) !== 'EACCES' && errorCode(error) !== 'EPERM') throw error
  }
  throw new Error(
    'the mount namespace of the node may not be entered; run this container privileged, or with SYS_PTRACE, SYS_ADMIN and SYS_CHROOT where no security policy confines it',
  )
}

function writePattern(pattern: string): void {
  writeFileSync(PATTERN_FILE, `${pattern}\n`)
  const found = readFileSync(PATTERN_FILE, 'utf8').trimEnd()
  if (found !== pattern) throw new Error(`of \`${pattern}\` it reads back \`${found}\``)
}
