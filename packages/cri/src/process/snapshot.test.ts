import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { snapshotProcess } from '../index.ts'
import { BOOT_TIME, fakeProc } from '../testing/fake-proc.ts'
import { test } from '../testing/scratch.ts'

test('takes everything of a process that dumps core', ({ dir }) => {
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
    problems: [],
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

test('reads this very process', () => {
  const snapshot = snapshotProcess(process.pid, { includeFiles: ['auxv', 'maps', 'status'] })
  expect(snapshot.stable).toBe(true)
  expect(snapshot.coreDumping).toBe(false)
  expect(snapshot.problems).toEqual([])
  expect(snapshot.exe).toEqual(Buffer.from(process.execPath))
  expect(snapshot.status?.uid).toBe(process.getuid?.())
  const age = Date.now() / 1000 - (snapshot.startedAt ?? 0)
  expect(Math.abs(age - process.uptime())).toBeLessThan(3)
})

test('says that the process is gone', ({ dir }) => {
  const snapshot = snapshotProcess(42, { root: dir })
  expect(snapshot).toMatchObject({ stable: false, problems: [{ code: 'PROCESS_GONE' }] })
})

test('keeps nothing of a zombie but what the kernel still tells', async () => {
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
  expect(snapshot).toMatchObject({ stable: false, problems: [{ code: 'PROCESS_CHANGED' }] })
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
    'the pid in its namespace is 8, the kernel said 1',
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
    problems: [{ code: 'PROCESS_CHANGED', message }],
  })
})

test('is not stopped by FIFOs, links and directories where files should be [attack-4]', ({
  dir,
}) => {
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
  expect(snapshot.problems.map(({ code }) => code)).toEqual(
    Array.from({ length: 5 }, () => 'PROCESS_FILE_UNREADABLE'),
  )
})

test('bounds what it keeps of a huge file, and says so [attack-4]', ({ dir }) => {
  fakeProc(dir, { pid: 42, files: { environ: Buffer.alloc(300_000, 'x'), maps: 'short' } })
  const options = { root: dir, includeFiles: ['environ', 'maps'], maxFileBytes: 100_000 }
  const snapshot = snapshotProcess(42, options)
  expect(snapshot.files.get('environ')?.length).toBe(100_000)
  expect(snapshot.files.get('maps')?.length).toBe(5)
  expect(snapshot.problems).toMatchObject([{ code: 'PROCESS_FILE_TRUNCATED' }])
})

test('takes no part of a cgroup text that is larger than any kernel writes', ({ dir }) => {
  fakeProc(dir, { pid: 42, cgroup: `0::/${'a'.repeat(64)}/${'x'.repeat(300_000)}` })
  const snapshot = snapshotProcess(42, { root: dir })
  expect(snapshot.cgroup).toBeUndefined()
  expect(snapshot.problems).toMatchObject([{ code: 'PROCESS_FILE_UNREADABLE' }])
})

test('is not led elsewhere by the name of a file', ({ dir }) => {
  fakeProc(dir, { pid: 42 })
  writeFileSync(join(dir, 'outside'), 'secret')
  const { files } = snapshotProcess(42, { root: dir, includeFiles: ['../outside', '..', ''] })
  expect(files.size).toBe(0)
})

test('understands a comm that looks like the end of the fields around it', ({ dir }) => {
  fakeProc(dir, { pid: 42, comm: 'a) R 1 (b\\nUid:\t0' })
  const snapshot = snapshotProcess(42, { root: dir })
  expect(snapshot.startTime).toBe(12_345n)
  expect(snapshot.status?.uid).toBe(1000)
})
