import { openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { exited, isOpen, pipeFrom } from '@core-dump-handler/testing/pipe'
import { test } from '@core-dump-handler/testing/scratch'
import { createPartFile, drain, readAhead, ZipWriter } from '../index.ts'

const HEADER_BYTES = 1000

/** Drains the output of `command`; returns for each write of data whether the source was still open. */
async function writesWhileReading(
  dir: string,
  command: string,
  until: (bytes: number) => boolean = () => false,
): Promise<boolean[]> {
  await using file = await createPartFile(join(dir, `${process.hrtime.bigint()}.zip`))
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

test('reads a small core and closes its source before any work on it', async ({ dir }) => {
  // a machine that is too busy to read a MB in 50 ms gets more tries
  for (let attempt = 0; attempt < 20; attempt++) {
    const reading = await writesWhileReading(dir, 'head -c 1000000 /dev/urandom')
    expect(reading.length).toBeGreaterThan(2)
    if (!reading.includes(true)) return
  }
  expect.fail('each time something was written while the source was being read')
})

test('writes what a slow source has delivered while it waits for more', async ({ dir }) => {
  const command = 'head -c 600000 /dev/urandom; sleep 60'
  const reading = await writesWhileReading(dir, command, (bytes) => bytes > 200_000)
  expect(reading[0]).toBe(true)
})

test('drains what was read before there was an archive', async ({ dir }) => {
  for (const bytes of [0, 10, 1_000_000, 20_000_000]) {
    const { fd, writer } = pipeFrom(dir, `head -c ${bytes} /dev/zero`)
    let released = 0
    const ahead = readAhead(fd, () => void released++)
    await ahead?.enough
    await using file = await createPartFile(join(dir, `${bytes}.zip`))
    const zip = new ZipWriter(file)
    const result = await drain(ahead ?? fd, zip, { entryName: 'x.core' })
    expect(result.bytes).toBe(bytes)
    expect(result.heldMs).toBeGreaterThanOrEqual(0)
    expect(released).toBe(1)
    await exited(writer)
  }
})

test('shows what was read before it is drained', async ({ dir }) => {
  for (const bytes of [10, 300_000, 20_000_000]) {
    const { fd, writer } = pipeFrom(dir, `yes | head -c ${bytes}`)
    // reading ahead ends after 50 ms, which two programs may need for their start
    await sleep(500)
    const ahead = readAhead(fd)
    await ahead?.enough
    const seen = Buffer.concat(ahead?.peek() ?? [])
    expect(seen.length).toBeGreaterThanOrEqual(Math.min(bytes, 14 * 128 * 1024))
    expect(seen.equals(Buffer.alloc(seen.length, 'y\n'))).toBe(true)
    await using file = await createPartFile(join(dir, `peek-${bytes}.zip`))
    const result = await drain(ahead ?? fd, new ZipWriter(file), { entryName: 'x.core' })
    expect(result.bytes).toBe(bytes)
    await exited(writer)
  }
})

test('can be closed without a drain', async ({ dir }) => {
  const { fd, writer } = pipeFrom(dir, 'cat /dev/zero')
  let released = 0
  const ahead = readAhead(fd, () => void released++)
  await ahead?.enough
  expect(isOpen(fd)).toBe(true)
  ahead?.close()
  ahead?.close()
  expect(released).toBe(1)
  // to a pipe without a reader
  await exited(writer)
})

test('reads only a pipe ahead, not a file', ({ dir }) => {
  const path = join(dir, 'core')
  writeFileSync(path, 'bytes')
  expect(readAhead(openSync(path, 'r'))).toBeUndefined()
  expect(() => readAhead(4711)).toThrow('open file descriptor')
})
