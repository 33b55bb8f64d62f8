import { execFileSync } from 'node:child_process'
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test as it } from '@core-dump-handler/testing/scratch'
import { describe, expect } from 'vitest'
import { readRecord, recordPath } from './resume-record.ts'

const RECORD = {
  file: 'x.zip',
  token: 't',
  store: 's',
  key: 'k',
  uploadId: 'u',
  partBytes: 5 * 1024 * 1024,
  etagIsMd5: true,
}

describe('readRecord', () => {
  it('reads a record beside its file', async ({ dir }) => {
    const file = join(dir, 'x.zip')
    await writeFile(recordPath(file), JSON.stringify(RECORD))
    expect(await readRecord(file)).toEqual(RECORD)
  })

  it.for(['../x.zip', '..', '', 'a/x.zip'])(
    'ignores a record of the file %j',
    async (name, { dir }) => {
      await writeFile(recordPath(join(dir, 'x.zip')), JSON.stringify({ ...RECORD, file: name }))
      expect(await readRecord(join(dir, 'x.zip'))).toBeUndefined()
      expect(await readRecord(join(dir, 'sub', name))).toBeUndefined()
    },
  )

  it('ignores a FIFO or an endless file without waiting for it', async ({ dir }) => {
    execFileSync('mkfifo', [recordPath(join(dir, 'a'))])
    await symlink('/dev/zero', recordPath(join(dir, 'b')))
    expect(await readRecord(join(dir, 'a'))).toBeUndefined()
    expect(await readRecord(join(dir, 'b'))).toBeUndefined()
  })
})
