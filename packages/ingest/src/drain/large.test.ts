import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { ftruncateSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { expect } from 'vitest'
import { readersHere } from '@core-dump-handler/testing/readers'
import { test } from '@core-dump-handler/testing/scratch'
import { createPartFile, drain, streamSink, ZipWriter, type ZipSink } from '../index.ts'
import { Crc } from './encode/crc.ts'

const GIB = 2 ** 30
const MIB = 2 ** 20
const HUNDRED = 100
const SLOW = 300_000

test(
  'drains more than 4 GiB before compression',
  async ({ dir }) => {
    // a sparse file: costs neither disk nor much time
    const length = 4 * GIB + 12_345
    const fd = openSync(join(dir, 'core'), 'w+')
    ftruncateSync(fd, length)
    for (const at of [0, 2 ** 31, 4 * GIB - 2, length - 9]) writeSync(fd, 'landmark!', at)
    const path = join(dir, 'a.zip')
    await using file = await createPartFile(path)
    const zip = new ZipWriter(file)
    const result = await drain(fd, zip, { entryName: 'x.core' })
    await zip.add('after', 'the core')
    await zip.finish()
    await file.publish()

    expect(result).toMatchObject({ bytes: length, complete: true })
    expect(result.storedBytes).toBeLessThan(length / 900)
    const [unzip] = readersHere().filter(({ name }) => name === 'unzip')
    await unzip?.test(path)
    expect(String(await unzip?.extract(path, 'after'))).toBe('the core')
    const listed = String(spawnSync('unzip', ['-v', path, 'x.core']).stdout)
    expect(listed).toMatch(new RegExp(`${length} +Defl`))
  },
  SLOW,
)

test(
  'drains more than 4 GiB after compression, for a streaming reader',
  async () => {
    const length = 4 * GIB + 100 * MIB
    const random = randomBytes(MIB)
    async function* core(): AsyncGenerator<Uint8Array> {
      for (let sent = 0; sent < length; sent += MIB) yield random
    }
    const reader = spawn('sh', ['-c', 'bsdtar -xOf - | wc -c'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const zip = new ZipWriter(streamSink(reader.stdin))
    const result = await drain(core(), zip, { entryName: 'x.core' })
    await zip.add('after', 'the core')
    await zip.finish()
    reader.stdin.end()
    let counted = ''
    for await (const chunk of reader.stdout) counted += String(chunk)
    expect(Number(counted)).toBe(length + 'the core'.length)
    expect(result.storedBytes).toBeGreaterThan(length)
  },
  SLOW,
)

test(
  'more than 4 GiB after compression in a file, its header completed in place',
  async ({ dir }) => {
    const path = join(dir, 'a.zip')
    await using file = await createPartFile(path)
    // zeros become a hole, or this would cost 4 GiB of disk
    const sparse: ZipSink = {
      write: (chunks) =>
        chunks.length === HUNDRED ? file.truncate(file.bytes + HUNDRED * MIB) : file.write(chunks),
      patch: (bytes, position) => file.patch(bytes, position),
    }
    const zip = new ZipWriter(sparse)
    const entry = await zip.entry('x.core', { method: 0 })
    const zeros = Buffer.alloc(MIB)
    const crc = new Crc(crc32)
    for (let i = 0; i < 41; i++) {
      await entry.write(Array<Buffer>(HUNDRED).fill(zeros))
      crc.addZeros(HUNDRED * MIB)
    }
    await entry.finish({ bytes: 41 * HUNDRED * MIB, crc32: crc.value })
    const { offset } = await zip.add('after', 'the core')
    expect(offset).toBeGreaterThan(4 * GIB)
    await zip.finish()
    await file.publish()
    // the entry after it is found by its size: no reader has to read 4 GiB of zeros
    for (const reader of readersHere().filter(({ name }) => /unzip|python3|7z/.test(name))) {
      expect(String(await reader.extract(path, 'after')), reader.name).toBe('the core')
    }
    expect(String(execFileSync('bsdtar', ['-tvf', path]))).toContain(` ${41 * HUNDRED * MIB} `)
  },
  SLOW,
)
