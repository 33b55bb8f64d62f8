import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, readSync, rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import {
  acknowledge,
  COREDUMP,
  coreDumpInfo,
  identifyPeer,
  listenAt,
  MARKS,
  peerPidfd,
  readMark,
  readRequest,
  takeDescriptor,
} from '@core-dump-handler/coredump-socket'
import { setCoreSysctl, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'
import { removeScratch, scratchDirectory } from '@core-dump-handler/testing/scratch-directory'
import { coreSockets } from './core-sockets.ts'

const { kernel, userspace, reject, wait } = COREDUMP
const TIMEOUT_MS = 5000

/** What the kernel answered, how much of the core it sent, and how the process ended. */
interface Answered {
  readonly mark: string
  readonly bytes: number
  readonly signal: unknown
  readonly dumped: boolean | undefined
}

/** Crashes a program, and answers the kernel's request with these bits in so many bytes. */
async function answer(mask: bigint, ackBytes?: number): Promise<Answered> {
  const directory = scratchDirectory()
  onTestFinished(() => removeScratch(directory))
  const path = `${directory}/core.sock`
  const answered = Promise.withResolvers<Omit<Answered, 'signal'>>()
  const server = await listenAt(
    path,
    (socket) => {
      const fd = takeDescriptor(socket)
      void talk(fd, mask, ackBytes)
        .then(answered.resolve, answered.reject)
        .finally(() => closeSync(fd))
    },
    { allowHalfOpen: true, pauseOnConnect: true },
  )
  try {
    return await withKernel(async () => {
      setCoreSysctl('kernel.core_pattern', `@@${path}`)
      const child = spawn(testProgram('crasher'), ['-l', '0'], { stdio: 'ignore' })
      const kill = setTimeout(() => child.kill('SIGKILL'), 2 * TIMEOUT_MS)
      const [, signal] = await once(child, 'exit')
      clearTimeout(kill)
      return { ...(await answered.promise), signal }
    })
  } finally {
    server.close()
  }
}

async function talk(
  fd: number,
  mask: bigint,
  ackBytes: number | undefined,
): Promise<Omit<Answered, 'signal'>> {
  const request = await readRequest(fd, TIMEOUT_MS)
  expect(request).toEqual({ maxAckBytes: 16, features: kernel | userspace | reject | wait })
  const pidfd = peerPidfd(fd)
  const dumped = pidfd === undefined ? undefined : coreDumpInfo(pidfd)?.dumped
  if (pidfd !== undefined) closeSync(pidfd)
  acknowledge(fd, mask, ackBytes)
  const mark = await readMark(fd, TIMEOUT_MS)
  return { mark: MARKS[mark ?? -1] ?? 'none', bytes: await readAll(fd), dumped }
}

async function readAll(fd: number): Promise<number> {
  const buffer = Buffer.alloc(65_536)
  const deadline = performance.now() + TIMEOUT_MS
  for (let bytes = 0; ;) {
    try {
      const read = readSync(fd, buffer)
      if (read === 0) return bytes
      bytes += read
    } catch {
      if (performance.now() > deadline) throw new Error('the kernel sends no end of the core')
      await sleep(1)
    }
  }
}

// the cases of the kernel's own tests, tools/testing/selftests/coredump
coreSockets('the kernel on a coredump socket', () => {
  test.for([
    ['KERNEL', kernel, undefined, 'accepted', true],
    ['KERNEL and WAIT', kernel | wait, undefined, 'accepted', true],
    ['USERSPACE', userspace, undefined, 'accepted', false],
    ['REJECT', reject, undefined, 'accepted', false],
    ['KERNEL and REJECT', kernel | reject, undefined, 'with contradicting bits', false],
    ['no bit at all', 0n, undefined, 'with contradicting bits', false],
    ['an unknown bit', kernel | (1n << 63n), undefined, 'with unknown bits', false],
    ['a size that is too small', kernel, 8, 'too small', false],
    ['a size that is too large', kernel, 4096, 'too large', false],
  ] as const)('answers %s as the receiver expects', async ([, mask, size, mark, sends]) => {
    const answered = await answer(mask, size)
    expect(answered).toMatchObject({ mark, signal: 'SIGSEGV', dumped: true })
    expect(answered.bytes > 0).toBe(sends)
  })

  test('names the process of a connection also when it was killed meanwhile', async () => {
    const directory = scratchDirectory()
    onTestFinished(() => removeScratch(directory))
    const path = `${directory}/core.sock`
    const connected = Promise.withResolvers<number>()
    const options = { allowHalfOpen: true, pauseOnConnect: true }
    const server = await listenAt(path, (one) => connected.resolve(takeDescriptor(one)), options)
    try {
      await withKernel(async () => {
        setCoreSysctl('kernel.core_pattern', `@@${path}`)
        const child = spawn(testProgram('crasher'), ['-l', '0'], { stdio: 'ignore' })
        const ended = once(child, 'exit')
        const fd = await connected.promise
        const { pid = 0 } = child
        const common = { pid, uid: 0, gid: 0, dumpMode: 1, pidfd: expect.any(Number) }
        expect(identifyPeer(fd, '/proc')).toEqual({ ...common, hasEnded: false })
        child.kill('SIGKILL')
        await ended
        expect(identifyPeer(fd, '/proc')).toEqual({ ...common, hasEnded: true })
        closeSync(fd)
      })
    } finally {
      server.close()
    }
  })

  test('ends a process at once where no one listens', async () => {
    const directory = scratchDirectory()
    onTestFinished(() => removeScratch(directory))
    const path = `${directory}/core.sock`
    const server = await listenAt(path, () => {})
    for (const pattern of [`@@${path}`, `@@${directory}/none.sock`]) {
      server.close()
      await withKernel(async () => {
        setCoreSysctl('kernel.core_pattern', pattern)
        const startedMs = performance.now()
        await once(spawn(testProgram('crasher'), ['-l', '0'], { stdio: 'ignore' }), 'exit')
        expect(performance.now() - startedMs).toBeLessThan(2000)
      })
    }
    rmSync(path, { force: true })
  })

  test('takes no pattern with a path that it would not follow', async () => {
    await withKernel(async () => {
      for (const pattern of ['@@relative/core.sock', '@@/tmp/../core.sock', '@@@/tmp/core.sock']) {
        expect(() => setCoreSysctl('kernel.core_pattern', pattern), pattern).toThrow(/EINVAL/)
      }
    })
  })
})
