import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from '../../scripts/set-up/build.mjs'
import { ROOT } from '../../scripts/set-up/root.mjs'
import { run } from '@core-dump-handler/testing/tools/run'

/** An empty project with everything we publish installed from its tarballs, as a stranger has it. */
export interface Project {
  readonly dir: string
  readonly tarballs: string
  remove(): Promise<void>
}

/** Build and pack every workspace, and install the tarballs in a project of their own. */
export async function createProject(): Promise<Project> {
  const scratch = await mkdtemp(join(tmpdir(), 'core-dump-handler-project-'))
  const dir = join(scratch, 'project')
  const tarballs = join(scratch, 'tarballs')
  await build(process.env)
  await run('mkdir', [dir, tarballs])
  await run('npm', ['pack', '--workspaces', '--pack-destination', tarballs], { cwd: ROOT })
  await writeFile(join(dir, 'package.json'), '{ "private": true, "type": "module" }\n')
  const files = (await readdir(tarballs)).map((file) => join(tarballs, file))
  await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...files], {
    cwd: dir,
  })
  return { dir, tarballs, remove: () => rm(scratch, { recursive: true, force: true }) }
}
