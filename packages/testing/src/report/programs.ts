import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

const SOURCES = new URL('programs/', import.meta.url).pathname

/** Path of a source of the programs that crash. */
export function programSource(name: string): string {
  return join(SOURCES, name)
}

/** Debian packages with the tools that tests of this folder run. */
export const PACKAGES: Readonly<Record<string, string>> = {
  gcc: 'gcc',
  'g++': 'g++',
  gdb: 'gdb',
  'gdb-multiarch': 'gdb-multiarch',
  'eu-stack': 'elfutils',
  'debuginfod-find': 'debuginfod',
  readelf: 'binutils',
  'musl-gcc': 'musl-tools',
  python3: 'python3',
  java: 'default-jre-headless',
  javac: 'default-jdk-headless',
  go: 'golang-go',
  rustc: 'rustc',
  'aarch64-linux-gnu-gcc': 'gcc-aarch64-linux-gnu libc6-dev-arm64-cross',
  'qemu-aarch64-static': 'qemu-user-static',
}

/**
 * The tools that are not installed, as the reason for a skip: undefined when all are there. Under `CI=true`
 * it throws, as the CI machine has them all.
 */
export function missingTools(...tools: readonly string[]): string | undefined {
  const missing = tools.filter((tool) => !isInstalled(tool))
  if (missing.length === 0) return undefined
  const packages = missing.map((tool) => PACKAGES[tool] ?? tool).join(' ')
  const reason = `not installed: ${missing.join(', ')} (apt-get install ${packages})`
  if (process.env['CI'] === 'true') throw new Error(reason)
  return reason
}

function isInstalled(tool: string): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v "$1"', 'sh', tool], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Runs a compiler in `directory`; its messages are in the error. */
export function compile(
  directory: string,
  command: string,
  arguments_: readonly string[],
  env: Readonly<Record<string, string>> = {},
): void {
  execFileSync(command, arguments_, {
    cwd: directory,
    stdio: 'pipe',
    timeout: 180_000,
    env: { ...process.env, GOFLAGS: '-mod=mod', GOTOOLCHAIN: 'local', ...env },
  })
}
