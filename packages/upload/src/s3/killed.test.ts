import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, it } from 'vitest'
import { MIB, randomFile, sha256 } from '@core-dump-handler/testing/random-file'
import { describeS3 } from '@core-dump-handler/testing/upload/s3-test'

describeS3('put after a SIGKILL', (start) => {
  it('resumes after the parts that the killed process sent [agent-2]', async () => {
    await using w = await start()
    const file = await randomFile(join(w.dir, 'x.zip'), 42 * MIB)
    const s3 = { ...w.s3, workers: 1 }
    const first = w.spawnPut(file, s3)
    for await (const line of createInterface({ input: first.stdout })) {
      if (Number(line) >= 20 * MIB) first.kill('SIGKILL')
    }
    expect(first.signalCode ?? (await once(first, 'exit'))[1]).toBe('SIGKILL')

    const second = w.spawnPut(file, s3)
    const lines: string[] = []
    for await (const line of createInterface({ input: second.stdout })) lines.push(line)

    const stored: unknown = JSON.parse(lines.at(-1) ?? '')
    const keptParts = expect.toSatisfy((kept: number) => kept >= 4)
    expect(stored).toMatchObject({ outcome: 'stored', key: 'x.zip', parts: 9, keptParts })
    expect(await sha256(join(w.objects, 'x.zip'))).toBe(await sha256(file))
  })
})
