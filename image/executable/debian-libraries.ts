import { copyFileSync, existsSync, lstatSync, mkdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { type AptState, packageVersion, unpackPackage, withApt } from './apt.ts'
import type { Architecture } from './architecture.ts'
import { fail } from './fail.ts'

/** One library that ships, and the package it came from (for the SBOM). */
export interface ShippedPackage {
  readonly name: string
  readonly version: string
  readonly files: readonly string[]
}

const PACKAGES = ['libc6', 'libgcc-s1', 'libstdc++6', 'libisal2'] as const
/** What Node 24 is linked against (`patchelf --print-needed`), besides the loader, and ISA-L. */
const LIBRARIES = [
  'libc.so.6',
  'libdl.so.2',
  'libgcc_s.so.1',
  'libisal.so.2',
  'libm.so.6',
  'libpthread.so.0',
  'libstdc++.so.6',
]

/**
 * Puts the dynamic loader, the libraries of Node and ISA-L into `outDir`, from the packages of the
 * Debian or Ubuntu release this machine takes its own from; works for another architecture too.
 */
export function fetchLibraries(
  architecture: Architecture,
  outDir: string,
  licenceDir: string,
): ShippedPackage[] {
  return withApt(architecture, (apt) =>
    PACKAGES.map((name) => {
      const root = unpackPackage(name, apt)
      const files = copyLibraries(root, architecture, outDir)
      if (files.length === 0) fail(`The package \`${name}\` has none of ${LIBRARIES.join(', ')}`)
      copyLicence(root, name, apt, licenceDir)
      return { name, version: packageVersion(name, apt), files }
    }),
  )
}

function copyLibraries(root: string, { triplet, loader }: Architecture, outDir: string): string[] {
  const copied: string[] = []
  for (const folder of [`lib/${triplet}`, `usr/lib/${triplet}`]) {
    for (const file of [...LIBRARIES, loader]) {
      const source = join(root, folder, file)
      if (!existsSync(source)) continue
      // follows libstdc++.so.6 to the file with the full version
      copyFileSync(source, join(outDir, file))
      copied.push(file)
    }
  }
  return copied.toSorted()
}

function copyLicence(root: string, name: string, apt: AptState, licenceDir: string): void {
  mkdirSync(licenceDir, { recursive: true })
  const folder = join(root, 'usr/share/doc', name)
  let copyright = join(folder, 'copyright')
  if (lstatSync(folder).isSymbolicLink()) {
    // the libraries of gcc keep theirs in gcc-12-base, whose number changes with the release
    const base = readlinkSync(folder)
    const baseRoot = unpackPackage(base, apt)
    copyright = join(baseRoot, 'usr/share/doc', base, 'copyright')
  }
  copyFileSync(copyright, join(licenceDir, `${name}.copyright`))
}
