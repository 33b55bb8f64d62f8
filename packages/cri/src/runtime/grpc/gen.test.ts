import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { test } from '@core-dump-handler/testing/scratch'

const PACKAGE = join(import.meta.dirname, '../../..')
const BIN = join(PACKAGE, '../../node_modules/.bin')

test('the committed codec is what proto/runtime.proto generates', ({ dir }) => {
  execFileSync(join(BIN, 'buf'), ['generate', '-o', dir], {
    cwd: PACKAGE,
    env: { ...process.env, PATH: `${BIN}:${process.env['PATH']}` },
    stdio: 'pipe',
  })
  const fresh = readFileSync(join(dir, 'src/runtime/grpc/gen/runtime.ts'), 'utf8')
  const committed = readFileSync(join(import.meta.dirname, 'gen/runtime.ts'), 'utf8')
  expect(committed).toBe(`// @ts-nocheck -- generated: leaves parameters unused\n${fresh}`)
})
