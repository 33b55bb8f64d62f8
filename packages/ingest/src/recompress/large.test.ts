import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { expect } from 'vitest'
import { readersHere } from '@core-dump-handler/testing/readers'
import { test } from '@core-dump-handler/testing/scratch'
import { Crc } from '../drain/encode/crc.ts'
import { createPartFile, recompressZip, type ZipSink, ZipWriter } from '../index.ts'

const GIB = 2 ** 30
const STORED = 65_535
const ROUND = 16

test('more than 4 GiB, stored, become a few MiB: Zip64 before and after, in little memory', async ({
  dir,
}) => {
  const path = join(dir, 'x.zip')
  await using file = createPartFile(path)
  // zeros become holes, or this would cost 4 GiB of disk
  const sparse: ZipSink = {
    write(chunks) {
      for (const chunk of chunks) {
        if (chunk.length === STORED) file.truncate(file.bytes + STORED)
        else file.write([chunk])
      }
    },
    patch: (bytes, position) => file.patch(bytes, position),
  }
  const zip = new ZipWriter(sparse)
  await zip.add('x-dump-info.json', '{}')
  const entry = await zip.entry('x.core')
  // stored blocks of deflate, RFC 1951 3.2.4
  const header = Buffer.from([0, 0xff, 0xff, 0, 0])
  const zeros = Buffer.alloc(STORED)
  const blocks = Array.from({ length: ROUND }, () => [header, zeros]).flat()
  const crc = new Crc(crc32)
  let bytes = 0
  while (bytes <= 4 * GIB) {
    await entry.write(blocks)
    bytes += ROUND * STORED
  }
  await entry.write([Buffer.from([3, 0])])
  crc.addZeros(bytes)
  await entry.finish({ bytes, crc32: crc.value })
  const { offset } = await zip.add('x-0.log', 'behind 4 GiB')
  expect(offset).toBeGreaterThan(4 * GIB)
  await zip.finish()
  await file.publish()

  const result = await recompressZip(path, { entryName: 'x.core', level: 1 })
  expect(result).toMatchObject({ outcome: 'replaced', entry: { bytes, crc32: crc.value } })
  expect(statSync(path).size).toBeLessThan(16 * 2 ** 20)
  for (const reader of readersHere().filter(({ name }) => /unzip|python3|7z/.test(name))) {
    expect(String(await reader.extract(path, 'x-0.log')), reader.name).toBe('behind 4 GiB')
  }
  execFileSync('unzip', ['-tq', path])
  expect(String(execFileSync('bsdtar', ['-tvf', path]))).toContain(` ${bytes} `)
}, 300_000)
