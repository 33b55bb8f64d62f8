import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { snapshotProcess } from '../index.ts'
import { BOOT_TIME, fakeProc } from '@core-dump-handler/testing/cri/fake-proc'
import { test } from '@core-dump-handler/testing/scratch'

test('keeps every field of a process that dumps core', ({ dir }) => {
  const cgroup = `0::/kubepods/${'a'.repeat(64)}\n`
  fakeProc(dir, { pid: 42, cgroup, files: { maps: 'm', auxv: 'a' }, pidfdNames: 42 })

  const snapshot = snapshotProcess(42, { root: dir, pidfd: 3, includeFiles: ['auxv', 'maps'] })

  expect(snapshot).toMatchObject({
    pid: 42,
    stable: true,
    startTime: 12_345n,
    startedAt: BOOT_TIME + 123.45,
    coreDumping: true,
    pidfdMatches: true,
    cgroup,
    status: { name: 'victim', nspid: [42, 1], uid: 1000, gid: 1000, coreDumping: true },
    warnings: [],
  })
  expect(String(snapshot.exe)).toBe('/usr/bin/victim')
  expect([...snapshot.files].map(([name, bytes]) => `${name}=${String(bytes)}`)).toEqual([
    'auxv=a',
    'maps=m',
  ])
})

test('reads the crashing thread where the first one has ended', ({ dir }) => {
  fakeProc(dir, { pid: 42, tid: 44, nspid: [42, 7] })
  const snapshot = snapshotProcess(42, { root: dir, tid: 44 })
  expect(snapshot.status?.nspid).toEqual([42, 7])
  expect(snapshot.coreDumping).toBe(true)
})

test('reads the test process itself', () => {
  const snapshot = snapshotProcess(process.pid, { includeFiles: ['auxv', 'maps', 'status'] })
  expect(snapshot.stable).toBe(true)
  expect(snapshot.coreDumping).toBe(false)
  expect(snapshot.warnings).toEqual([])
  expect(snapshot.exe).toEqual(Buffer.from(process.execPath))
  expect(snapshot.status?.uid).toBe(process.getuid?.())
  const age = Date.now() / 1000 - (snapshot.startedAt ?? 0)
  expect(Math.abs(age - process.uptime())).toBeLessThan(3)
})

test('warns that the process is gone', ({ dir }) => {
  const snapshot = snapshotProcess(42, { root: dir })
  expect(snapshot).toMatchObject({ stable: false, warnings: [{ code: 'PROCESS_GONE' }] })
})

test('keeps of a zombie only what the kernel still reports', async () => {
  const child = spawn('true', { stdio: 'ignore' })
  const { pid = 0 } = child
  execFileSync('sleep', ['0.1'])
  // not reaped before the event loop runs again
  const snapshot = snapshotProcess(pid, { includeFiles: ['environ', 'maps'] })
  expect(snapshot.coreDumping).toBe(false)
  expect(snapshot.exe).toBeUndefined()
  await new Promise((resolve) => child.once('exit', resolve))
})

test.for([
  ['a pid that was given to another process', 7],
  ['a process that is reaped', -1],
] as const)('keeps nothing when the pidfd names %s', ([, pidfdNames], { dir }) => {
  fakeProc(dir, { pid: 42, pidfdNames, cgroup: 'secret' })
  const snapshot = snapshotProcess(42, { root: dir, pidfd: 3, includeFiles: ['status'] })
  expect(snapshot).toMatchObject({ stable: false, warnings: [{ code: 'PROCESS_CHANGED' }] })
  expect(snapshot.cgroup).toBeUndefined()
  expect(snapshot.files.size).toBe(0)
})

test('keeps nothing when the descriptor is no pidfd [attack-1]', ({ dir }) => {
  fakeProc(dir, { pid: 42 })
  expect(snapshotProcess(42, { root: dir, pidfd: 3 }).stable).toBe(false)
})

test.for([
  ['started after the crash', { startTicks: 30_000 }, 'it started after the crash'],
  [
    'has another pid in its namespace',
    { nspid: [42, 8] },
    'the pid in its namespace is 8, the kernel passed 1',
  ],
] as const)('keeps nothing of a process that %s [identity-19]', ([, process, why], { dir }) => {
  fakeProc(dir, { pid: 42, files: { environ: 'SECRET=1' }, ...process })
  const crash = { timestamp: BOOT_TIME + 200, pid: 1 }
  const options = { root: dir, includeFiles: ['environ'] }
  expect(snapshotProcess(42, options).files.size).toBe(1)
  const message = `Process 42 is not the one that crashed: ${why}`
  expect(snapshotProcess(42, { ...options, crash })).toEqual({
    pid: 42,
    stable: false,
    coreDumping: false,
    files: new Map(),
    warnings: [{ code: 'PROCESS_CHANGED', message }],
  })
})

test('does not block on FIFOs and follows no links in the place of files [attack-4]', ({ dir }) => {
  fakeProc(dir, { pid: 42 })
  const path = (name: string): string => join(dir, '42', name)
  rmSync(path('cgroup'))
  rmSync(path('cmdline'))
  execFileSync('mkfifo', [path('cgroup'), path('environ')])
  symlinkSync('/etc/passwd', path('cmdline'))
  mkdirSync(path('maps'))

  const snapshot = snapshotProcess(42, {
    root: dir,
    includeFiles: ['cmdline', 'environ', 'maps', 'auxv'],
  })

  expect(snapshot.stable).toBe(true)
  expect(snapshot.cgroup).toBeUndefined()
  expect(snapshot.files.size).toBe(0)
  expect(snapshot.warnings.map(({ code }) => code)).toEqual(
    Array.from({ length: 5 }, () => 'PROCESS_FILE_UNREADABLE'),
  )
})

test('cuts a huge file at the limit, with a warning [attack-4]', ({ dir }) => {
  fakeProc(dir, { pid: 42, files: { environ: Buffer.alloc(300_000, 'x'), maps: 'short' } })
  const options = { root: dir, includeFiles: ['environ', 'maps'], maxFileBytes: 100_000 }
  const snapshot = snapshotProcess(42, options)
  expect(snapshot.files.get('environ')?.length).toBe(100_000)
  expect(snapshot.files.get('maps')?.length).toBe(5)
  expect(snapshot.warnings).toMatchObject([{ code: 'PROCESS_FILE_TRUNCATED' }])
})

test('keeps no part of a cgroup file that is larger than the kernel writes', ({ dir }) => {
  fakeProc(dir, { pid: 42, cgroup: `0::/${'a'.repeat(64)}/${'x'.repeat(300_000)}` })
  const snapshot = snapshotProcess(42, { root: dir })
  expect(snapshot.cgroup).toBeUndefined()
  expect(snapshot.warnings).toMatchObject([{ code: 'PROCESS_FILE_UNREADABLE' }])
})

test('uses only the base name of an included file', ({ dir }) => {
  fakeProc(dir, { pid: 42 })
  writeFileSync(join(dir, 'outside'), 'secret')
  const { files } = snapshotProcess(42, { root: dir, includeFiles: ['../outside', '..', ''] })
  expect(files.size).toBe(0)
})

test('parses a comm that holds blanks and parentheses', ({ dir }) => {
  fakeProc(dir, { pid: 42, comm: 'a) R 1 (b\\nUid:\t0' })
  const snapshot = snapshotProcess(42, { root: dir })
  expect(snapshot.startTime).toBe(12_345n)
  expect(snapshot.status?.uid).toBe(1000)
})

test('C15: knows the start of a process where /proc/stat has a line for each of 8192 CPUs', ({
  dir,
}) => {
  fakeProc(dir, { pid: 42 })
  const cpus = Array.from({ length: 8192 }, (_, n) => `cpu${n} ${'1234567890 '.repeat(10)}\n`)
  const interrupts = `intr 1${' 0'.repeat(100_000)}\n`
  writeFileSync(
    join(dir, 'stat'),
    `cpu  1 2 3\n${cpus.join('')}${interrupts}ctxt 1\nbtime ${BOOT_TIME}\n`,
  )
  expect(snapshotProcess(42, { root: dir }).startedAt).toBe(BOOT_TIME + 123.45)
})
