import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { say, SetUpError } from './say.mjs'

/**
 * @typedef {object} Package
 * @property {string} name of the Debian and Ubuntu package
 * @property {string | string[]} provides a program on PATH, or files one of which must exist
 * @property {string} purpose what is not run without it
 */

const ISAL = ['x86_64-linux-gnu/', 'aarch64-linux-gnu/', '../lib64/'].map(
  (folder) => `/usr/lib/${folder}libisal.so.2`,
)

/** @type {Record<'test' | 'bench', readonly Package[]>} */
export const PACKAGES = {
  test: [
    { name: 'xz-utils', provides: 'xz', purpose: 'unpacking test tools' },
    { name: 'unzip', provides: 'unzip', purpose: 'reading bundles with Info-ZIP' },
    { name: 'libarchive-tools', provides: 'bsdtar', purpose: 'reading bundles with libarchive' },
    { name: 'p7zip-full', provides: '7z', purpose: 'reading bundles with 7-Zip' },
    { name: 'libisal2', provides: ISAL, purpose: 'compressing with ISA-L' },
    { name: 'python3', provides: 'python3', purpose: "reading bundles with Python's zipfile" },
    { name: 'gdb', provides: 'gdb', purpose: 'opening cores' },
    {
      name: 'gdb-multiarch',
      provides: 'gdb-multiarch',
      purpose: 'opening cores of arm64 programs',
    },
    { name: 'gcc', provides: 'gcc', purpose: 'compiling programs that crash' },
    {
      name: 'libc6-dev',
      provides: ['/usr/include/stdio.h'],
      purpose: 'compiling programs that crash',
    },
    { name: 'g++', provides: 'g++', purpose: 'reports of C++ crashes' },
    { name: 'rustc', provides: 'rustc', purpose: 'reports of Rust crashes' },
    { name: 'golang-go', provides: 'go', purpose: 'reports of Go crashes' },
    { name: 'default-jdk-headless', provides: 'javac', purpose: 'reports of Java crashes' },
    { name: 'musl-tools', provides: 'musl-gcc', purpose: 'reports of musl programs' },
    { name: 'lldb', provides: 'lldb', purpose: 'opening minicores with LLDB' },
    { name: 'elfutils', provides: 'eu-stack', purpose: 'comparing stacks with elfutils' },
    {
      name: 'debuginfod',
      provides: 'debuginfod-find',
      purpose: 'finding stored binaries with a debuginfod client',
    },
    {
      name: 'gcc-aarch64-linux-gnu',
      provides: 'aarch64-linux-gnu-gcc',
      purpose: 'reports of arm64 programs',
    },
    {
      name: 'libc6-dev-arm64-cross',
      provides: ['/usr/aarch64-linux-gnu/include/stdio.h'],
      purpose: 'reports of arm64 programs',
    },
    { name: 'patchelf', provides: 'patchelf', purpose: 'building the self-contained composer' },
    { name: 'binutils', provides: 'strip', purpose: 'building the self-contained composer' },
    {
      name: 'binutils-aarch64-linux-gnu',
      provides: 'aarch64-linux-gnu-strip',
      purpose: 'the image for arm64',
    },
    { name: 'qemu-user-static', provides: 'qemu-aarch64-static', purpose: 'the image for arm64' },
    { name: 'buildah', provides: 'buildah', purpose: 'comparing the image with the Dockerfile' },
    { name: 'skopeo', provides: 'skopeo', purpose: 'copying the image' },
    { name: 'util-linux', provides: 'flock', purpose: 'file locks' },
    { name: 'strace', provides: 'strace', purpose: 'failing at any call of the composer' },
    { name: 'faketime', provides: 'faketime', purpose: 'clocks that jump' },
    { name: 'runc', provides: 'runc', purpose: 'pods in a real containerd' },
    {
      name: 'containernetworking-plugins',
      provides: ['/usr/lib/cni/loopback', '/opt/cni/bin/loopback'],
      purpose: 'pods in a real containerd',
    },
    { name: 'busybox-static', provides: 'busybox', purpose: 'pods in a real containerd' },
    { name: 'openssl', provides: 'openssl', purpose: 'TLS and the test cluster' },
    {
      name: 'python3-swift',
      provides: ['/usr/lib/python3/dist-packages/swift'],
      purpose: 'uploads to OpenStack Swift',
    },
    {
      name: 'libatomic1',
      provides: [
        '/usr/lib/x86_64-linux-gnu/libatomic.so.1',
        '/usr/lib/aarch64-linux-gnu/libatomic.so.1',
        '/usr/lib64/libatomic.so.1',
      ],
      purpose: 'running the packages on Node 26',
    },
  ],
  bench: [
    { name: 'gcc', provides: 'gcc', purpose: 'the feeder that plays the kernel' },
    {
      name: 'libc6-dev',
      provides: ['/usr/include/stdio.h'],
      purpose: 'the feeder that plays the kernel',
    },
    { name: 'libisal2', provides: ISAL, purpose: 'compressing with ISA-L' },
    { name: 'pigz', provides: 'pigz', purpose: 'comparing with pigz -1' },
    { name: 'zip', provides: 'zip', purpose: 'comparing with zip -6' },
  ],
}

/**
 * Install what is missing, when root on a Debian or Ubuntu; else say what is missing and what that costs.
 * @param {'test' | 'bench'} purpose
 */
export async function ensurePackages(purpose) {
  const missing = PACKAGES[purpose].filter((each) => !isThere(each))
  if (missing.length === 0) return
  const names = missing.map(({ name }) => name)
  if (process.getuid?.() !== 0 || !onPath('apt-get')) {
    for (const each of missing)
      say(`missing: ${each.name} (without it is left out: ${each.purpose})`)
    say(`to have all of it, as root on Debian or Ubuntu: apt-get install ${names.join(' ')}`)
    return
  }
  say(`installing Debian packages, about 30 s: ${names.join(' ')}`)
  aptGet(['update'])
  aptGet(['install', '--yes', '--no-install-recommends', ...names])
}

/** @param {string[]} args */
function aptGet(args) {
  const { status, stdout, stderr } = spawnSync(
    'apt-get',
    ['-o', 'DPkg::Lock::Timeout=300', '--quiet', ...args],
    { encoding: 'utf8', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } },
  )
  if (status === 0) return
  const last = `${stdout}${stderr}`.trim().split('\n').slice(-5).join('\n')
  throw new SetUpError(`\`apt-get ${args.join(' ')}\` failed with ${status}:\n${last}`)
}

/** @param {Package} each */
function isThere({ provides }) {
  return Array.isArray(provides) ? provides.some((path) => existsSync(path)) : onPath(provides)
}

/** @param {string} program */
function onPath(program) {
  // runc and busybox may lie in folders that are only on root's PATH
  const dirs = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/bin']
  return dirs.some((dir) => existsSync(join(dir, program)))
}
