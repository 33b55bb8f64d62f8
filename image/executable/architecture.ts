import { fail } from './fail.ts'

/** A processor architecture as Node, Debian and the image index each name it. */
export interface Architecture {
  readonly node: 'x64' | 'arm64'
  readonly debian: 'amd64' | 'arm64'
  /** GNU triplet: the folder of its libraries and the prefix of its binutils. */
  readonly triplet: string
  /** File name of the dynamic loader in Debian's libc6. */
  readonly loader: string
}

export const ARCHITECTURES: readonly Architecture[] = [
  { node: 'x64', debian: 'amd64', triplet: 'x86_64-linux-gnu', loader: 'ld-linux-x86-64.so.2' },
  { node: 'arm64', debian: 'arm64', triplet: 'aarch64-linux-gnu', loader: 'ld-linux-aarch64.so.1' },
]

/** The architectures a comma-separated list names; that of this machine where none is given. */
export function parseArchitectures(list: string = process.arch): readonly Architecture[] {
  return list.split(',').map((name) => {
    const found = ARCHITECTURES.find(({ node, debian }) => name === node || name === debian)
    return found ?? fail(`--arch takes x64, arm64 or both with a comma between, got \`${name}\``)
  })
}
