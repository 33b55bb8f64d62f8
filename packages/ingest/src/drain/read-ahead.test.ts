import { join } from 'node:path'
import { expect } from 'vitest'
import { exited, isOpen, pipeFrom } from '../../testing/pipe.ts'
import { test } from '../../testing/scratch.ts'
import { createPartFile, drain, ZipWriter } from '../index.ts'

const HEADER_BYTES = 1000

/** Stores what `command` says; tells for each write of data whether the source was still being read. */
async function writesWhileReading(
  dir: string,
  command: string,
  until: (bytes: number) => boolean = () => false,
): Promise<boolean[]> {
  await using file = createPartFile(join(dir, `${process.hrtime.bigint()}.zip`))
  const { fd, writer } = pipeFrom(dir, command)
  const reading: boolean[] = []
  const enough = new AbortController()
  const zip = new ZipWriter({
    write: (chunks) => {
      const bytes = chunks.reduce((sum, { length }) => sum + length, 0)
      if (bytes > HEADER_BYTES) reading.push(isOpen(fd))
      file.write(chunks)
      if (until(file.bytes)) enough.abort(new Error('enough'))
    },
    patch: (bytes, position) => file.patch(bytes, position),
    truncate: (length) => file.truncate(length),
  })
  await drain(fd, zip, { entryName: 'x.core', mode: 'store', signal: enough.signal })
  writer.kill()
  await exited(writer)
  return reading
}

test('a small core is read whole, and its process free, before any work on it', async ({ dir }) => {
  // a machine that is too busy to read a MB in 50 ms gets more tries
  for (let attempt = 0; attempt < 20; attempt++) {
    const reading = await writesWhileReading(dir, 'head -c 1000000 /dev/urandom')
    expect(reading.length).toBeGreaterThan(2)
    if (!reading.includes(true)) return
  }
  expect.fail('each time something was written while the source was being read')
})

test('of a source that is slow, what has come is written while more is waited for', async ({
  dir,
}) => {
  const command = 'head -c 600000 /dev/urandom; sleep 60'
  const reading = await writesWhileReading(dir, command, (bytes) => bytes > 200_000)
  expect(reading[0]).toBe(true)
})
