import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { PUBLISHED } from './workspace.ts'
import { build } from '../../scripts/set-up/build.mjs'
import { ROOT } from '../../scripts/set-up/root.mjs'

/** An empty project with each published package installed from its tarball, as a user has it. */
export interface Project {
  readonly dir: string
  readonly tarballs: string
  remove(): Promise<void>
}

/** Build and pack the published packages, and install the tarballs in a new project. */
export async function createProject(): Promise<Project> {
  const scratch = await mkdtemp(join(tmpdir(), 'core-dump-handler-project-'))
  const dir = join(scratch, 'project')
  const tarballs = join(scratch, 'tarballs')
  await build(process.env)
  await mkdir(dir)
  await mkdir(tarballs)
  const workspaces = PUBLISHED.flatMap(({ name }) => ['--workspace', name])
  await execa('npm', ['pack', ...workspaces, '--pack-destination', tarballs], { cwd: ROOT })
  await writeFile(join(dir, 'package.json'), '{ "private": true, "type": "module" }\n')
  const files = (await readdir(tarballs)).map((file) => join(tarballs, file))
  await execa('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...files], {
    cwd: dir,
  })
  return { dir, tarballs, remove: () => rm(scratch, { recursive: true, force: true }) }
}
