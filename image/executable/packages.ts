import { execaSync } from 'execa'
import type { Architecture } from './architecture.ts'
import { fail } from './fail.ts'

/** Installs the Debian packages whose program is missing; without root it names them. */
export function ensureBuildTools(architectures: readonly Architecture[]): void {
  const programs: [program: string, debianPackage: string][] = [
    ['patchelf', 'patchelf'],
    ['dpkg-deb', 'dpkg'],
    ...architectures.map(({ triplet }): [string, string] => [
      stripOf(triplet),
      `binutils-${triplet.replace('_', '-')}`,
    ]),
  ]
  const missing = programs.filter(
    ([program]) => execaSync(program, ['--version'], { reject: false }).code === 'ENOENT',
  )
  if (missing.length === 0) return
  const names = missing.map(([, name]) => name)
  if (process.getuid?.() !== 0)
    fail(
      `Building the composer needs the Debian packages ${names.join(', ')}: install them, or run this as root`,
    )
  process.stderr.write(`installing ${names.join(', ')}\n`)
  execaSync('apt-get', ['update', '-q'])
  execaSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...names], {
    env: { DEBIAN_FRONTEND: 'noninteractive' },
  })
}

/** `strip` that understands the binaries of `triplet`. */
export function stripOf(triplet: string): string {
  return `${triplet}-strip`
}
