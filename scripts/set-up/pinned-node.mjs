import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { ROOT } from './root.mjs'
import { SetUpError } from './say.mjs'

/** Oldest Node that runs the TypeScript sources as they are. */
const OLDEST = { major: 22, minor: 18 }

/**
 * The Node of the lockfile, where it is installed; it exists for Linux on x64 and arm64.
 * @returns {string | undefined}
 */
export function pinnedNode() {
  const path = join(ROOT, `node_modules/node-linux-${process.arch}/bin/node`)
  return process.platform === 'linux' && existsSync(path) ? path : undefined
}

/**
 * The Node that runs everything from here on: the pinned one, else the one in use if it is new enough.
 * @returns {string}
 */
export function nodeToUse() {
  const pinned = pinnedNode()
  if (pinned !== undefined) return pinned
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor))
    return process.execPath
  throw new SetUpError(
    `No pinned Node for ${process.platform}-${process.arch}, and ${process.version} is older than ${OLDEST.major}.${OLDEST.minor}: install a newer Node and run the same command again.`,
  )
}

/**
 * Run Node in the place of this process: it has its terminal, gets its signals and gives its exit code.
 * @param {string} node
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @param {1 | 2} [stdout] the descriptor that its standard output goes to
 * @returns {Promise<number>} its exit code, 128 and the signal's number when a signal ended it
 */
export async function runInForeground(node, args, env = process.env, stdout = 1) {
  const child = spawn(node, args, { cwd: ROOT, stdio: ['inherit', stdout, 'inherit'], env })
  // a terminal sends Ctrl-C to both: this process only waits for the child
  const onInterrupt = () => process.stdin.isTTY || child.kill('SIGINT')
  /** @param {NodeJS.Signals} signal */
  const passOn = (signal) => child.kill(signal)
  process.on('SIGINT', onInterrupt).on('SIGTERM', passOn).on('SIGHUP', passOn)
  try {
    return await new Promise((resolve, reject) => {
      child.on('error', reject).on('close', (code, signal) => {
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]))
      })
    })
  } finally {
    process.off('SIGINT', onInterrupt).off('SIGTERM', passOn).off('SIGHUP', passOn)
  }
}
