import { cp, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import type { Tool } from './tool.ts'

/** A Node of an exact version, from the npm package with the official Linux binary. */
export function nodeFromNpm(version: string): Tool {
  const name = `node-linux-${process.arch}`
  return {
    version,
    main: 'bin/node',
    files: { node: undefined },
    probe: { command: 'node', args: ['--version'], expect: new RegExp(`^v${version}$`, 'm') },
    cost: `downloading ${name}@${version} from npm, about 10 s`,
    make: async ({ folder, cache }) => {
      const project = await mkdtemp(join(cache, 'node-'))
      try {
        // options on the command line: the settings of the repository's own .npmrc must not matter
        await execa(
          'npm',
          [
            'install',
            '--prefix',
            project,
            '--no-save',
            '--no-audit',
            '--no-fund',
            `${name}@${version}`,
          ],
          { cwd: project },
        )
        await cp(join(project, 'node_modules', name), folder, { recursive: true })
      } finally {
        await rm(project, { recursive: true, force: true })
      }
    },
  }
}
