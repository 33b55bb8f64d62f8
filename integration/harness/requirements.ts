import { execFileSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

/** Debian package → a file by which one sees that it is there. */
const PACKAGES: Readonly<Record<string, string>> = {
  binutils: '/usr/bin/readelf',
  'busybox-static': '/bin/busybox',
  'containernetworking-plugins': '/usr/lib/cni/loopback',
  gcc: '/usr/bin/gcc',
  gdb: '/usr/bin/gdb',
  'libc6-dev': '/usr/include/stdio.h',
  'python3-swift': '/usr/lib/python3/dist-packages/swift',
  runc: '/usr/sbin/runc',
  unzip: '/usr/bin/unzip',
}

/** Why crashes through the real kernel cannot be tested here; undefined when they can. */
function whyNot(): string | undefined {
  if (process.platform !== 'linux') return 'it needs Linux'
  if (process.getuid?.() !== 0) return 'it needs root'
  try {
    accessSync('/proc/sys/kernel/core_pattern', constants.W_OK)
  } catch {
    return 'kernel.core_pattern cannot be written'
  }
  return installMissing()
}

function installMissing(): string | undefined {
  const missing = Object.keys(PACKAGES).filter((name) => !existsSync(PACKAGES[name] ?? ''))
  if (missing.length === 0) return undefined
  process.stderr.write(`installing what the tests need, about 30 s: ${missing.join(' ')}\n`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  try {
    execFileSync('apt-get', ['update', '-q'], { stdio: 'pipe' })
    execFileSync('apt-get', ['install', '-yq', '--no-install-recommends', ...missing], {
      stdio: 'pipe',
      env,
    })
    return undefined
  } catch (error) {
    return `Debian packages are missing (${missing.join(' ')}) and could not be installed: ${String(error)}`
  }
}

/** A group of tests on real parts: skipped loudly where the machine lacks them, a failure in CI. */
export function realParts(name: string, tests: () => void): void {
  const reason = whyNot()
  if (reason === undefined) {
    describe(name, tests)
  } else if (process.env['CI']) {
    test(name, () => expect.fail(`cannot run on this CI machine: ${reason}`))
  } else {
    process.stderr.write(`SKIPPED ${name}: ${reason}\n`)
    describe.skip(name, tests)
  }
}
