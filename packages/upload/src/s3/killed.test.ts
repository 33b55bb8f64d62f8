import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { MIB, randomFile, sha256 } from '../testing/files.ts'
import { describeS3 } from '../testing/s3.ts'

const CHILD = new URL('../testing/child.ts', import.meta.url).pathname

describeS3('an upload whose process is killed with SIGKILL', (world) => {
  test('is finished by the next one, which keeps the parts [agent-2]', async () => {
    await using w = await world()
    const file = await randomFile(join(w.dir, 'x.zip'), 42 * MIB)
    const run = (): ReturnType<typeof spawn> =>
      spawn(
        process.execPath,
        [
          '--conditions=@core-dump-handler/source',
          CHILD,
          w.url,
          file,
          'x.zip',
          JSON.stringify({ ...w.s3, workers: 1 }),
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      )
    const first = run()
    for await (const line of createInterface({ input: first.stdout ?? process.stdin })) {
      if (Number(line) >= 20 * MIB) first.kill('SIGKILL')
    }
    expect(first.signalCode ?? (await once(first, 'exit'))[1]).toBe('SIGKILL')

    const second = run()
    const lines: string[] = []
    for await (const line of createInterface({ input: second.stdout ?? process.stdin }))
      lines.push(line)

    const stored = JSON.parse(lines.at(-1) ?? '') as { parts: number; keptParts: number }
    expect(stored).toMatchObject({ outcome: 'stored', key: 'x.zip', parts: 9 })
    expect(stored.keptParts).toBeGreaterThanOrEqual(4)
    expect(await sha256(join(w.objects, 'x.zip'))).toBe(await sha256(file))
  })
})
