import { spawnSync } from 'node:child_process'
import { ROOT } from './root.mjs'
import { SetUpError } from './say.mjs'

/**
 * Build every package whose sources changed.
 * @param {NodeJS.ProcessEnv} env with the pinned Node first on PATH
 */
export async function build(env) {
  const { status, stdout, stderr } = spawnSync(
    'turbo',
    ['run', 'build', '--output-logs=errors-only', '--log-order=grouped'],
    { cwd: ROOT, encoding: 'utf8', env },
  )
  if (status !== 0) throw new SetUpError(`The build failed:\n${stdout ?? ''}${stderr ?? ''}`)
}
