import {
  chmodSync,
  closeSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { relocateExecutable } from '../apps/agent/src/deploy/patch-executable.ts'
import { addKoffi, bundleAgent, bundleReceiver } from './app-bundles.ts'
import { packageVersion, unpackPackage, withApt } from './executable/apt.ts'
import type { Architecture } from './executable/architecture.ts'
import type { ComposerInstall } from './executable/build.ts'
import type { ShippedPackage } from './executable/debian-libraries.ts'
import { collectNpmLicences, type BundledPackage } from './licences.ts'
import { spdxDocument } from './sbom.ts'

/** Locks of bundles. */
const UTIL_LINUX = ['flock']

/** Where the programs are in the image; v9's path, which manifests of its users contain. */
export const APP = '/app'

/**
 * Makes the root file system of the image in `dir`: one Node that is agent, receiver and composer,
 * its libraries, util-linux `flock`, CA certificates, licences and SBOM; no shell.
 */
export async function assembleRoot(
  architecture: Architecture,
  install: ComposerInstall,
  dir: string,
  cacheDir: string,
): Promise<void> {
  rmSync(dir, { recursive: true, force: true })
  const app = join(dir, APP)
  const licences = join(dir, 'usr/share/licenses')
  for (const folder of [
    app,
    join(dir, 'usr/bin'),
    join(dir, 'etc/ssl/certs'),
    licences,
    join(dir, 'tmp'),
  ]) {
    mkdirSync(folder, { recursive: true })
  }
  chmodSync(join(dir, 'tmp'), 0o1777)
  cpSync(join(install.dir, 'lib'), join(app, 'lib'), { recursive: true })
  copyFileSync(join(install.dir, 'cdc'), join(app, 'cdc'))
  relocate(join(app, 'cdc'), `${APP}/lib`)
  symlinkSync('cdc', join(app, 'core-dump-agent'))
  symlinkSync('cdc', join(app, 'core-dump-receiver'))

  const bundled = [
    ...(await bundleAgent(join(app, 'agent'))),
    ...(await bundleReceiver(join(app, 'receiver'))),
    ...addKoffi(architecture, app, cacheDir),
  ]
  const tools = addDebianFiles(architecture, dir, licences)
  copyFileSync(install.node.licence, join(licences, 'node'))
  cpSync(join(install.dir, 'licences'), licences, { recursive: true })
  const npm = collectNpmLicences(bundled, join(licences, 'npm'))
  copyFileSync(new URL('../LICENSE', import.meta.url), join(licences, 'core-dump-handler'))
  writeUsers(dir)
  writeSbom(dir, install, tools, npm)
}

function relocate(executable: string, libraries: string): void {
  const fd = openSync(executable, 'r+')
  try {
    relocateExecutable(fd, libraries)
  } finally {
    closeSync(fd)
  }
}

function addDebianFiles(
  architecture: Architecture,
  dir: string,
  licences: string,
): ShippedPackage[] {
  return withApt(architecture, (apt) => {
    const utilLinux = unpackPackage('util-linux', apt)
    for (const name of UTIL_LINUX) {
      const program = join(dir, 'usr/bin', name)
      copyFileSync(join(utilLinux, 'usr/bin', name), program)
      execaSync('patchelf', ['--set-interpreter', `${APP}/lib/${architecture.loader}`, program])
      execaSync('patchelf', ['--force-rpath', '--set-rpath', `${APP}/lib`, program])
    }

    const certificates = join(
      unpackPackage('ca-certificates', apt),
      'usr/share/ca-certificates/mozilla',
    )
    const bundle = readdirSync(certificates)
      .toSorted()
      .map((file) => readFileSync(join(certificates, file), 'utf8'))
    writeFileSync(join(dir, 'etc/ssl/certs/ca-certificates.crt'), bundle.join(''))

    return ['util-linux', 'ca-certificates'].map((name) => {
      copyFileSync(
        join(unpackPackage(name, apt), 'usr/share/doc', name, 'copyright'),
        join(licences, `${name}.copyright`),
      )
      const files =
        name === 'util-linux'
          ? UTIL_LINUX.map((program) => `/usr/bin/${program}`)
          : ['/etc/ssl/certs/ca-certificates.crt']
      return { name, version: packageVersion(name, apt), files }
    })
  })
}

function writeUsers(dir: string): void {
  writeFileSync(
    join(dir, 'etc/passwd'),
    'root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n',
  )
  writeFileSync(join(dir, 'etc/group'), 'root:x:0:\nnonroot:x:65532:\n')
}

function writeSbom(
  dir: string,
  install: ComposerInstall,
  tools: ShippedPackage[],
  npm: BundledPackage[],
): void {
  const folder = join(dir, 'usr/share/sbom')
  mkdirSync(folder, { recursive: true })
  const document = spdxDocument({
    node: install.node,
    debian: [...install.libraries, ...tools],
    npm: [install.koffi, ...npm],
  })
  writeFileSync(
    join(folder, 'core-dump-handler.spdx.json'),
    `${JSON.stringify(document, null, 2)}\n`,
  )
}
