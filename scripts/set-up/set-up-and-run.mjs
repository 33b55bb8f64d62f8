import { delimiter, dirname, join } from 'node:path'
import { build } from './build.mjs'
import { ensurePackages } from './debian.mjs'
import { ensureInstalled } from './install.mjs'
import { runInForeground, nodeToUse } from './pinned-node.mjs'
import { ROOT } from './root.mjs'
import { SetUpError, say, timed } from './say.mjs'

const COMMANDS = ['demo', 'test', 'bench']

/**
 * Bring the checkout to where `command` can run, then run it with the pinned Node.
 * @param {string} command
 * @param {string[]} args
 * @returns {Promise<number>} the exit code
 */
export async function setUpAndRun(command, args) {
  if (!COMMANDS.includes(command)) {
    process.stderr.write(
      `Usage: node scripts/start.mjs ${COMMANDS.join('|')} [arguments of the command]\n`,
    )
    return 2
  }
  try {
    await timed('installed', ensureInstalled)
    const node = nodeToUse()
    const env = environment(node)
    if (command === 'test' || command === 'bench') {
      await timed('Debian packages ready', () => ensurePackages(command))
    }
    await timed('built', () => build(env))
    return await runInForeground(node, [join(ROOT, `scripts/${command}.ts`), ...args], env)
  } catch (error) {
    if (!(error instanceof SetUpError)) throw error
    say(error.message)
    // the last line of `npm test` has the failure too
    if (command === 'test') process.stdout.write('0 passed, 1 failed\n')
    return 1
  }
}

/**
 * @param {string} node
 * @returns {NodeJS.ProcessEnv}
 */
function environment(node) {
  const bins = [dirname(node), join(ROOT, 'node_modules/.bin')]
  return {
    ...process.env,
    TURBO_TELEMETRY_DISABLED: '1',
    PATH: [...bins, process.env['PATH'] ?? ''].join(delimiter),
  }
}
