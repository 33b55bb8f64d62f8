import { copyFileSync, cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { unpackPackage, withApt } from '../../image/executable/apt.ts'
import { mountsBelow } from '@core-dump-handler/testing/scratch-directory'

const DEBIAN = { debian: process.arch === 'x64' ? 'amd64' : 'arm64' } as const

/** Root file systems on which Node does not start, or not with their own libraries. */
const ROOTS = {
  'nothing but /proc and /dev/null': {
    fill: () => undefined,
    proof: undefined,
  },
  'an old glibc (2.31, Debian 11)': {
    fill: (root: string) =>
      withApt(
        DEBIAN,
        (apt) => {
          for (const name of ['libc6', 'busybox'])
            cpSync(unpackPackage(name, apt), root, { recursive: true, verbatimSymlinks: true })
        },
        'bullseye',
      ),
    proof: '/bin/busybox ls /lib/*/libc-2.31.so',
  },
  'musl and busybox': {
    fill: (root: string) =>
      withApt(DEBIAN, (apt) => {
        cpSync(unpackPackage('musl', apt), root, { recursive: true, verbatimSymlinks: true })
        mkdirSync(join(root, 'bin'), { recursive: true })
        copyFileSync('/bin/busybox', join(root, 'bin/busybox'))
      }),
    proof: '/bin/busybox ls /lib/ld-musl-*.so.1',
  },
} as const

type RootName = keyof typeof ROOTS

function isRootName(name: string): name is RootName {
  return name in ROOTS
}

export const ROOT_NAMES: readonly RootName[] = Object.keys(ROOTS).filter(isRootName)

/** Makes such a root in `directory`, with the kernel's /proc and a /dev/null in it. */
export function makeRoot(directory: string, name: RootName): void {
  mkdirSync(join(directory, 'proc'), { recursive: true })
  const { fill, proof } = ROOTS[name]
  fill(directory)
  execaSync('mount', ['--bind', '/proc', join(directory, 'proc')])
  // Node opens /dev/null for the output that the kernel closed, and aborts without
  mkdirSync(join(directory, 'dev'))
  execaSync('mknod', ['-m', '666', join(directory, 'dev/null'), 'c', '1', '3'])
  if (proof) execaSync('chroot', [directory, '/bin/busybox', 'sh', '-c', proof])
}

export function unmountRoot(directory: string): void {
  for (const mount of mountsBelow(directory).toReversed()) execaSync('umount', ['-l', mount])
}
