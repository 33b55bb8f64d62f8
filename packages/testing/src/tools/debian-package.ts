import { chmod, copyFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { ToolError } from './tool.ts'
import type { Workshop } from './tool.ts'

const KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg'

/**
 * Programs out of the package of another Debian release, signature checked, nothing installed, no root:
 * apt with a state of its own. (A program whose libraries are newer than this machine's will not run.)
 */
export function debianPackage(
  name: string,
  release: string,
  programs: readonly string[],
): (shop: Workshop) => Promise<void> {
  return async ({ folder, cache }) => {
    const apt = join(cache, 'apt', release)
    await mkdir(join(apt, 'state/lists/partial'), { recursive: true })
    await mkdir(join(apt, 'cache/archives/partial'), { recursive: true })
    await writeFile(join(apt, 'status'), '')
    await writeFile(
      join(apt, 'sources.list'),
      `deb [signed-by=${KEYS}] http://deb.debian.org/debian ${release} main\n`,
    )
    const options = [
      ['Dir::State', join(apt, 'state')],
      ['Dir::State::status', join(apt, 'status')],
      ['Dir::Cache', join(apt, 'cache')],
      ['Dir::Etc::sourcelist', join(apt, 'sources.list')],
      ['Dir::Etc::sourceparts', '/dev/null'],
      ['APT::Sandbox::User', 'root'],
    ].flatMap(([key, value]) => ['-o', `${key}=${value}`])
    try {
      await execa('apt-get', [...options, '--quiet', 'update'])
      await execa('apt-get', [...options, '--quiet', 'download', name], { cwd: apt })
    } catch (cause) {
      throw new ToolError(
        name,
        `The package \`${name}\` of Debian ${release} could not be downloaded (apt-get and debian-archive-keyring are needed): ${String(cause)}`,
        { cause },
      )
    }
    await takePrograms(apt, folder, programs)
  }
}

async function takePrograms(
  apt: string,
  folder: string,
  programs: readonly string[],
): Promise<void> {
  const archive = (await readdir(apt)).find((file) => file.endsWith('.deb'))
  if (archive === undefined) throw new Error(`apt-get download left no .deb in ${apt}`)
  const tree = join(apt, 'tree')
  await execa('dpkg-deb', ['-x', join(apt, archive), tree])
  for (const program of programs) {
    await copyFile(join(tree, 'usr/bin', program), join(folder, program))
    await chmod(join(folder, program), 0o755)
  }
  await rm(tree, { recursive: true })
  await rm(join(apt, archive))
}
