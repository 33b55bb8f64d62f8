import { closeSync, openSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from '@core-dump-handler/testing/scratch'
import { expect } from 'vitest'
import { fileSource } from './byte-source.ts'

const BLOCK = 4096

test('reads a block again that could not be read whole before', ({ dir }) => {
  const path = join(dir, 'file')
  const content = Buffer.alloc(2 * BLOCK + 100, 'abc')
  writeFileSync(path, content)
  const fd = openSync(path, 'r')
  try {
    const source = fileSource(fd)
    truncateSync(path, BLOCK + 10)
    expect(source.read(BLOCK, 100)).toHaveLength(10)
    writeFileSync(path, content)
    expect(source.read(BLOCK, 100)).toEqual(content.subarray(BLOCK, BLOCK + 100))
    expect(source.read(2 * BLOCK - 20, 200)).toEqual(content.subarray(2 * BLOCK - 20))
  } finally {
    closeSync(fd)
  }
})
