import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execaSync } from 'execa'
import type { Architecture } from './architecture.ts'
import { fail } from './fail.ts'

const KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** A private apt state in `dir`: no architecture is added to the machine's, nothing is installed. */
export interface AptState {
  readonly dir: string
  /** Variables of apt, beside those of this process. */
  readonly env: Readonly<Record<string, string>>
}

/**
 * Runs `use` with fresh package lists of `architecture`: from the sources this machine uses, or
 * from Debian's release `release`.
 */
export function withApt<T>(
  { debian }: Pick<Architecture, 'debian'>,
  use: (apt: AptState) => T,
  release?: string,
): T {
  const dir = mkdtempSync(join(tmpdir(), 'image-packages-'))
  try {
    mkdirSync(join(dir, 'lists/partial'), { recursive: true })
    mkdirSync(join(dir, 'archives/partial'), { recursive: true })
    writeFileSync(join(dir, 'status'), '')
    const config = join(dir, 'apt.conf')
    writeFileSync(
      config,
      [
        `Dir::State "${dir}";`,
        `Dir::State::status "${dir}/status";`,
        `Dir::Cache "${dir}";`,
        `APT::Architecture "${debian}";`,
        `APT::Architectures { "${debian}"; };`,
        'APT::Sandbox::User "root";',
        ...(release
          ? [`Dir::Etc::sourcelist "${dir}/sources.list";`, 'Dir::Etc::sourceparts "/dev/null";']
          : []),
      ].join('\n'),
    )
    writeFileSync(
      join(dir, 'sources.list'),
      `deb [signed-by=${KEYS}] http://deb.debian.org/debian ${release} main\n`,
    )
    const apt = { dir, env: { APT_CONFIG: config } }
    execaSync('apt-get', ['update', '-q'], { env: apt.env, cwd: dir })
    return use(apt)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** The folder that holds the files of Debian package `name`, downloaded once. */
export function unpackPackage(name: string, apt: AptState): string {
  const root = join(apt.dir, 'unpacked', name)
  mkdirSync(root, { recursive: true })
  execaSync('dpkg-deb', ['-x', debOf(name, apt), root])
  return root
}

export function packageVersion(name: string, apt: AptState): string {
  return execaSync('dpkg-deb', ['-f', debOf(name, apt), 'Version']).stdout
}

function debOf(name: string, { dir, env }: AptState): string {
  const find = (): string | undefined =>
    readdirSync(dir).find((file) => file.startsWith(`${name}_`) && file.endsWith('.deb'))
  if (!find()) execaSync('apt-get', ['download', '-q', name], { env, cwd: dir })
  return join(dir, find() ?? fail(`apt downloaded no package \`${name}\``))
}
