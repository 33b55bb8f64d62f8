import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { makeDirectory } from './make-directory.ts'

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'composer-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

test('makes what is missing above it, for its owner only, and may be repeated', async () => {
  const path = join(scratch(), 'a/b/c')
  await makeDirectory(path)
  await makeDirectory(path)
  expect(statSync(path).mode & 0o777).toBe(0o700)
  expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700)
})

test('ends with an error where the file system makes no directories', async () => {
  await expect(makeDirectory('/proc/self/cores/here')).rejects.toThrow(/ENOENT/)
})

test('a file in its place is an error', async () => {
  const file = join(scratch(), 'file')
  writeFileSync(file, '')
  await expect(makeDirectory(join(file, 'below'))).rejects.toThrow(/ENOTDIR/)
})
