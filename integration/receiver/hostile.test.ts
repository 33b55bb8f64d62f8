import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ReadBundle } from '@core-dump-handler/testing/composer/read-bundle'
import { crashBarrier, isWaiting } from '@core-dump-handler/testing/kernel/barrier'
import { runUntilCrash, testProgram } from '@core-dump-handler/testing/kernel/test-program'
import { shareReceiver, type SharedReceiver } from '@core-dump-handler/testing/receiver/received'
import type { TestReceiver } from '@core-dump-handler/testing/receiver/receiver'
import { until } from '@core-dump-handler/testing/until'
import { coreSockets } from './core-sockets.ts'

const DEADLINE_MS = 90_000
/** A hostile process is not held for longer than its core takes to copy, and its stacks to read. */
const MAX_HELD_MS = 3000
/** A crash beside it. */
const MAX_BESIDE_MS = 2000
const MAPPINGS = 60_000
const PEERS = 200
const REQUEST = Buffer.from('10000000100000000f00000000000000', 'hex')

const hex = (text: string, encoding: BufferEncoding = 'utf8'): string =>
  Buffer.from(text, encoding).toString('hex')

interface Hostile {
  readonly what: string
  readonly args: readonly string[]
  readonly expected: object
  readonly problems?: readonly string[]
  readonly maxCoreBytes?: number
}

const HOSTILE: readonly Hostile[] = [
  {
    what: 'a name that is a path',
    args: ['-n', hex('../../etc/cron')],
    expected: { comm: '../../etc/cron' },
  },
  {
    what: 'a name of control characters that is no text',
    args: ['-n', hex('\xff\x1b[2J\n\r"\xfe', 'latin1')],
    expected: { commHex: hex('\xff\x1b[2J\n\r"\xfe', 'latin1') },
  },
  {
    what: 'arguments of 100,000 bytes and terminal escapes',
    args: ['--', '\u001b[2J\n"${HOME}"', '\u0007'.repeat(100_000)],
    expected: { comm: expect.stringMatching(/^crasher/) },
  },
  {
    what: 'no memory mapped',
    args: ['-u'],
    expected: { signalName: 'SIGSEGV' },
    // notes alone
    maxCoreBytes: 65_536,
  },
  {
    what: '60,000 mappings',
    args: ['-M', String(MAPPINGS)],
    expected: { signalName: 'SIGSEGV' },
    // `maps`, of which 2 MiB are kept
    problems: ['PROCESS_FILE_TRUNCATED'],
  },
  { what: '1,000 threads', args: ['-T', '1000'], expected: { signalName: 'SIGSEGV' } },
  { what: 'a stack pointer to nowhere', args: ['-r'], expected: {} },
]

/** What a program does on its connection. */
const PEER_ACTS: readonly (readonly [what: string, act: (socket: Socket) => void])[] = [
  ['sends nothing', () => {}],
  ['sends garbage', (socket) => void socket.write(Buffer.alloc(262_144, 0xa5))],
  ['asks as the kernel does', (socket) => void socket.write(REQUEST)],
  ['closes at once', (socket) => void socket.destroy()],
]

coreSockets('the receiver beside what is hostile', () => {
  let shared: SharedReceiver
  beforeAll(async () => {
    shared = await shareReceiver({ INCLUDE_PROC_INFO: 'true' }, DEADLINE_MS)
  })
  afterAll(async () => {
    const { pid } = shared.receiver.daemon
    expect(shared.receiver.daemon.running(), `process ${pid} ends only now`).toBe(true)
    await shared.end()
  })

  test.for(HOSTILE)(
    'stores the core of a process with $what, and another crash meanwhile [receiver-29]',
    async ({ args, expected, problems, maxCoreBytes = Infinity }) => {
      const hostile = runUntilCrash(testProgram('crasher'), ['-l', '0', ...args])
      await storesAnother()
      const { manifest } = await isStored(await hostile, expected, problems)
      expect(manifest.core.bytes).toBeLessThan(maxCoreBytes)
    },
  )

  test('stores the core of a process whose program is deleted and has a name of control characters [receiver-29]', async () => {
    const { directory } = shared.receiver
    const place = join(directory, 'a b\n\u001b[31m$(id)')
    mkdirSync(place)
    const program = join(place, '%n "x"')
    copyFileSync(testProgram('crasher'), program)
    const barrier = crashBarrier(directory)
    const child = spawn(program, ['-l', '0', ...barrier.hostArgs], { stdio: 'ignore' })
    const ended = once(child, 'exit')
    await until('it waits', () => isWaiting(child.pid ?? 0))
    rmSync(place, { recursive: true })
    barrier.open()
    await ended
    await isStored(child.pid ?? 0, { exe: `${program} (deleted)` })
    await storesAnother()
  })

  test.for(PEER_ACTS)(
    `closes ${PEERS} connections of a program that does not crash and %s, and takes a crash meanwhile [receiver-7, receiver-30]`,
    async ([, act]) => {
      const { receiver } = shared
      const before = receiver.bundleNames.length
      const closed = Array.from({ length: PEERS }, async () => {
        const socket = createConnection(receiver.pattern.slice(2))
        socket.once('connect', () => act(socket))
        // the receiver may be faster than the request
        socket.on('error', () => {})
        await new Promise((resolve) => socket.once('close', resolve))
      })
      await storesAnother()
      await Promise.all(closed)
      expect(receiver.bundleNames).toHaveLength(before + 1)
      expect(logOf(receiver)).toMatch(/^WARN - .* no crash: process \d+ is not dumping core$/m)
    },
  )

  test('writes no control character of any of them into its log', () => {
    expect(logOf(shared.receiver)).not.toMatch(/[^\P{Cc}\n]/u)
  })

  /** A crash beside what is hostile has its bundle in time. */
  async function storesAnother(): Promise<void> {
    const startedMs = performance.now()
    const pid = await runUntilCrash(testProgram('crasher'), ['-l', '0', '-m', '1'])
    expect(performance.now() - startedMs).toBeLessThan(MAX_BESIDE_MS)
    const { manifest } = await shared.receiver.bundleOf(pid)
    expect(manifest).toMatchObject({ entry: 'socket', core: { complete: true }, problems: [] })
    expect(manifest.topFrame).toMatch(/^crash_here \(crasher/)
  }

  async function isStored(
    pid: number,
    expected: object,
    problems: readonly string[] = [],
  ): Promise<ReadBundle> {
    const bundle = await shared.receiver.bundleOf(pid)
    const { manifest, entries } = bundle
    expect(manifest.crash).toMatchObject({ hostPid: pid, ...expected })
    expect(manifest.core.complete).toBe(true)
    expect(manifest.timings.heldMs).toBeLessThan(MAX_HELD_MS)
    expect(entries).toEqual(expect.arrayContaining(['.core', '-report.json', '-report.txt']))
    expect(manifest.problems.map(({ code }) => code)).toEqual(problems)
    return bundle
  }
})

function logOf({ hostDir }: TestReceiver): string {
  return readFileSync(join(hostDir, 'composer.log'), 'utf8')
}
