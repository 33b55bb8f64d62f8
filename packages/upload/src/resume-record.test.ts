import { execFileSync } from 'node:child_process'
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readRecord, recordPath } from './resume-record.ts'
import { scratch } from './testing/files.ts'

const RECORD = {
  file: 'x.zip',
  token: 't',
  store: 's',
  key: 'k',
  uploadId: 'u',
  partBytes: 5 * 1024 * 1024,
  etagIsMd5: true,
}

test('a record beside its file is read', async () => {
  await using at = await scratch()
  const file = join(at.dir, 'x.zip')
  await writeFile(recordPath(file), JSON.stringify(RECORD))
  expect(await readRecord(file)).toEqual(RECORD)
})

test.for(['../x.zip', '..', '', 'a/x.zip'])('one of the file %j is none', async (name) => {
  await using at = await scratch()
  await writeFile(recordPath(join(at.dir, 'x.zip')), JSON.stringify({ ...RECORD, file: name }))
  expect(await readRecord(join(at.dir, 'x.zip'))).toBeUndefined()
  expect(await readRecord(join(at.dir, 'sub', name))).toBeUndefined()
})

test('a FIFO or an endless file in its place is none, and not waited for', async () => {
  await using at = await scratch()
  execFileSync('mkfifo', [recordPath(join(at.dir, 'a'))])
  await symlink('/dev/zero', recordPath(join(at.dir, 'b')))
  expect(await readRecord(join(at.dir, 'a'))).toBeUndefined()
  expect(await readRecord(join(at.dir, 'b'))).toBeUndefined()
})
