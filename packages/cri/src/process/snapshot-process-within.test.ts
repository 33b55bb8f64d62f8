import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { snapshotProcess, snapshotProcessWithin } from '../index.ts'
import { fakeProc } from '@core-dump-handler/testing/cri/fake-proc'
import { test } from '@core-dump-handler/testing/scratch'
import { canMountSilentFiles, mountSilentFile } from '@core-dump-handler/testing/cri/silent-file'

const NAMES = ['auxv', 'cmdline', 'environ', 'maps']

test('keeps the same files as snapshotProcess, in the order of includeFiles', async () => {
  const names = ['maps', 'environ', 'auxv', 'cmdline']
  const { files, ...others } = await snapshotProcessWithin(process.pid, { includeFiles: names })
  const atOnce = snapshotProcess(process.pid, { includeFiles: names })
  expect([...files.keys()]).toEqual(names)
  for (const name of names.slice(1)) expect(files.get(name)).toEqual(atOnce.files.get(name))
  expect({ ...others, files: atOnce.files }).toEqual(atOnce)
})

test('warns of a file that is cut and of one that cannot be read', async ({ dir }) => {
  fakeProc(dir, { pid: 42, files: { cmdline: 'x'.repeat(100) } })
  const options = { root: dir, includeFiles: NAMES, maxFileBytes: 10 }
  const { files, warnings } = await snapshotProcessWithin(42, options)
  expect([...files]).toEqual([['cmdline', Buffer.alloc(10, 'x')]])
  expect(warnings.map(({ code, message }) => `${code} ${/`(\w+)`/.exec(message)?.[1]}`)).toEqual([
    'PROCESS_FILE_UNREADABLE auxv',
    'PROCESS_FILE_UNREADABLE maps',
    'PROCESS_FILE_TRUNCATED cmdline',
    'PROCESS_FILE_UNREADABLE environ',
  ])
})

describe.skipIf(!canMountSilentFiles())('C1: a file of a process that is never read', () => {
  test.for([
    ['cmdline', ['environ']],
    ['maps', ['cmdline', 'environ']],
  ] as const)(
    '%s costs the limit once, and what the kernel has is kept',
    async ([hung, notTried], { dir }) => {
      fakeProc(dir, { pid: 42, files: { auxv: 'a', environ: 'e', maps: 'm' }, cgroup: '0::/x\n' })
      const { release } = await mountSilentFile(join(dir, '42', hung))
      try {
        const started = performance.now()
        const snapshot = await snapshotProcessWithin(42, {
          root: dir,
          includeFiles: NAMES,
          memoryTimeoutMs: 300,
        })
        expect(performance.now() - started).toBeLessThan(2000)
        expect(snapshot).toMatchObject({ stable: true, coreDumping: true, cgroup: '0::/x\n' })
        const lost: readonly string[] = [hung, ...notTried]
        expect([...snapshot.files.keys()]).toEqual(NAMES.filter((name) => !lost.includes(name)))
        const reason = `Cannot read \`${hung}\` of process 42: not done within 300 ms`
        expect(snapshot.warnings.map(({ message }) => message)).toEqual([
          expect.stringContaining(reason),
          ...notTried.map((name) =>
            expect.stringContaining(`Cannot read \`${name}\` of process 42: not tried, because \``),
          ),
        ])
      } finally {
        await release()
      }
    },
  )
})
