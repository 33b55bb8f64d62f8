import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ReadBundle } from '@core-dump-handler/testing/composer/read-bundle'
import { runUntilCrash, testProgram } from '@core-dump-handler/testing/kernel/test-program'
import { writtenBytes } from '@core-dump-handler/testing/processes'
import { shareReceiver, type SharedReceiver } from '@core-dump-handler/testing/receiver/received'
import { coreSockets } from './core-sockets.ts'

const MIB = 2 ** 20
const CORE_MIB = 64
/** Manifest, report and minicore, and what is written to helper processes. */
const MAX_WRITTEN_BYTES = 6 * MIB
/** It takes 5 to 30; a machine that does much else needs more. */
const MAX_HELD_MS = 500
const DEADLINE_MS = 60_000

interface Rejection {
  readonly what: string
  readonly settings: Readonly<Record<string, string>>
  readonly reasonCode: string
  readonly reason: RegExp
  /** Cores that are taken before. @default 0 */
  readonly taken?: number
  /** Known before the kernel has sent anything, so that with REPORT=off nothing is copied. */
  readonly isEarly: boolean
}

const REJECTIONS: readonly Rejection[] = [
  {
    what: 'its own core limit',
    settings: { HONOR_CORE_LIMIT: 'true' },
    reasonCode: 'CORE_REFUSED',
    reason: /core limit of 0 bytes and HONOR_CORE_LIMIT/,
    isEarly: true,
  },
  {
    what: 'the rate limit',
    settings: { RATE_CRASHES: '1', RATE_WINDOW_SECONDS: '86400' },
    reasonCode: 'CORE_SUPPRESSED',
    reason: /Crash 2 of this workload .*RATE_CRASHES is 1/,
    taken: 1,
    isEarly: true,
  },
  {
    what: 'a disk with too little free space',
    settings: { MIN_FREE_BYTES: String(2 ** 50) },
    reasonCode: 'CORE_NO_SPACE',
    reason: /bytes free, MIN_FREE_BYTES is/,
    isEarly: true,
  },
  {
    what: 'the selector, as it is in no pod',
    settings: { POD_SELECTOR_LABEL: 'wanted' },
    reasonCode: 'CORE_REFUSED',
    reason: /A host process has no pod with the label `wanted`/,
    isEarly: true,
  },
  {
    what: 'its size',
    settings: { MAX_CORE_BYTES: String(MIB), OVERSIZED_CORE: 'refuse' },
    reasonCode: 'CORE_OVERSIZED',
    reason: /The core has \d+ bytes, MAX_CORE_BYTES is 1048576/,
    // the headers of the core have it
    isEarly: false,
  },
  {
    what: 'the limit of its fingerprint',
    settings: { CORES_PER_FINGERPRINT: '1', FINGERPRINT_WINDOW_SECONDS: '86400' },
    reasonCode: 'CORE_REPEATED',
    reason: /There are 1 cores of the fingerprint [0-9a-f]+ /,
    taken: 1,
    // the notes of the core have the registers
    isEarly: false,
  },
]

coreSockets('a core that is rejected', () => {
  let shared: SharedReceiver
  beforeAll(async () => {
    shared = await shareReceiver({}, DEADLINE_MS)
  })
  afterAll(() => shared.end())

  test.for(REJECTIONS)(
    'by $what is not copied, and leaves its reason, report and minicore [receiver-27]',
    async ({ what, settings, reasonCode, reason, taken = 0, isEarly }) => {
      const { receiver } = shared
      receiver.configure(settings)
      for (let count = 0; count < taken; count++) {
        const first = await crash()
        expect(first.manifest.core.complete).toBe(true)
      }
      const before = writtenBytes(receiver.daemon.pid)
      const { manifest, entries, path } = await crash()
      expect(manifest).toMatchObject({ entry: 'socket', crash: { signal: 11 } })
      expect(manifest.core).toMatchObject({ bytes: 0, complete: false, reasonCode })
      expect(manifest.core.reason).toMatch(reason)
      expect(manifest.timings.heldMs).toBeLessThan(MAX_HELD_MS)
      process.stderr.write(`rejected by ${what}: held ${manifest.timings.heldMs} ms\n`)
      expect(entries).not.toContain('.core')
      expect(entries).toEqual(expect.arrayContaining(['-report.json', '-report.txt', '-mini.core']))
      expect(manifest.topFrame).toMatch(/^crash_here \(crasher/)
      expect(statSync(path).size).toBeLessThan(MIB)
      expect(writtenBytes(receiver.daemon.pid) - before).toBeLessThan(MAX_WRITTEN_BYTES)
      if (!isEarly) return
      receiver.configure({ ...settings, REPORT: 'off' })
      expect(await shellSays()).not.toContain('core dumped')
      receiver.configure({ REPORT: 'off' })
      expect(await shellSays()).toContain('core dumped')
    },
  )

  /** The bundle of a process with a core limit of 0. */
  async function crash(): Promise<ReadBundle> {
    const program = [testProgram('crasher'), '-l', '0', '-m', String(CORE_MIB)]
    const pid = await runUntilCrash('sh', ['-c', 'ulimit -c 0; exec "$@"', 'sh', ...program])
    return shared.receiver.bundleOf(pid)
  }
})

/** A shell's message on its child: `core dumped` where the kernel has sent a byte, wait(2). */
async function shellSays(): Promise<string> {
  const program = [testProgram('crasher'), '-l', '0', '-m', '1']
  const script = 'ulimit -c 0; "$@"; exit 0'
  const shell = spawn('sh', ['-c', script, 'sh', ...program], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let text = ''
  shell.stderr.on('data', (chunk: Buffer) => void (text += chunk.toString()))
  await once(shell, 'close')
  expect(text).toContain('Segmentation fault')
  return text
}
