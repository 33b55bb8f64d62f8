import { execFileSync } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { existsSync, linkSync, statSync, truncateSync, unlinkSync, utimesSync } from 'node:fs'
import { appendFile, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { MIB } from '@core-dump-handler/testing/random-file'
import { describeS3, type S3Test } from '@core-dump-handler/testing/upload/s3-test'
import { until } from '@core-dump-handler/testing/until'
import { expect, test } from 'vitest'
import { type Destination, growingState, type GrowingUpload, openDestination } from '../index.ts'
import { dropOrphans } from '../queue/scanner.ts'

const UUID = '0b5f1a7e-9c1d-4b7e-8f5e-5d0a3f1c2b4d'
const NAME = `${UUID}-crash.zip`
const PART = 5 * MIB
const CONTENT = randomFillSync(Buffer.alloc(3 * PART + 1000))

/** fallocate(1), as the receiver does by fallocate(2). */
async function free(fd: number, position: number, bytes: number): Promise<void> {
  const range = ['-p', '-o', String(position), '-l', String(bytes)]
  execFileSync('fallocate', [...range, `/proc/${process.pid}/fd/${fd}`])
}

interface Growing {
  readonly path: string
  readonly finalPath: string
  readonly upload: GrowingUpload
}

/** A file of which all but the last bytes are written, and its second and third part freed. */
async function growing({ dir }: S3Test, store: Destination, freedParts = 2): Promise<Growing> {
  const path = join(dir, `.${NAME}.part`)
  const finalPath = join(dir, NAME)
  await writeFile(path, '')
  const upload = await store.putGrowing({ path, finalPath, uniqueId: UUID, free }, NAME)
  for (let at = 0; at < 3 * PART; at += MIB) {
    await appendFile(path, CONTENT.subarray(at, at + MIB))
    upload.advance(at + MIB)
  }
  await until('the parts are freed', () => upload.freedBytes === freedParts * PART)
  return { path, finalPath, upload }
}

/** Writes the end, changes the beginning, and gives the file its final name. */
async function finish({ path, finalPath, upload }: Growing): Promise<Buffer> {
  const content = Buffer.from(CONTENT)
  await appendFile(path, content.subarray(3 * PART))
  content.write('changed', 14)
  {
    await using file = await open(path, 'r+')
    await file.write(Buffer.from('changed'), 0, 7, 14)
  }
  await upload.stop()
  await upload.seal()
  await upload[Symbol.asyncDispose]()
  linkSync(path, finalPath)
  unlinkSync(path)
  return content
}

const records = (directory: string): string[] =>
  existsSync(join(directory, `.${NAME}.upload.json`)) ? [`.${NAME}.upload.json`] : []

describeS3('a file that is sent while it is written', (start) => {
  test('takes no more space than what the store has not confirmed, and is completed by put', async () => {
    await using s3 = await start()
    const file = await growing(s3, s3.store)
    expect(statSync(file.path).blocks * 512).toBeLessThan(PART + MIB)
    const content = await finish(file)

    const stored = await s3.open().put(file.finalPath, NAME)
    expect(stored).toMatchObject({ key: NAME, outcome: 'stored', parts: 4, keptParts: 2 })
    expect((await readFile(join(s3.objects, NAME))).equals(content)).toBe(true)
    expect(await s3.server.uploads()).toEqual([])
    expect(records(s3.dir)).toEqual([])
  })

  test('is completed where parts may not be listed', async () => {
    await using s3 = await start()
    const file = await growing(s3, s3.store)
    const content = await finish(file)
    s3.proxy.inject({
      on: 'ListParts',
      kind: 's3-error',
      status: 403,
      code: 'AccessDenied',
      times: 9,
    })
    await s3.open().put(file.finalPath, NAME)
    expect((await readFile(join(s3.objects, NAME))).equals(content)).toBe(true)
  })

  test('is found complete by the next attempt when the answer to Complete was lost', async () => {
    await using s3 = await start()
    const file = await growing(s3, s3.store)
    const content = await finish(file)
    const store = s3.open({ maxAttempts: 1 })
    s3.proxy.injectOnce('CompleteMultipartUpload', { kind: 'lost-answer' })
    await expect(store.put(file.finalPath, NAME)).rejects.toMatchObject({ code: 'UNREACHABLE' })
    expect(await store.put(file.finalPath, NAME)).toMatchObject({ bytes: content.length })
    expect((await readFile(join(s3.objects, NAME))).equals(content)).toBe(true)
    expect(await s3.server.uploads()).toEqual([])
  })

  test('gets the uuid in its key where its name has none', async () => {
    await using s3 = await start()
    const path = join(s3.dir, '.x.zip.part')
    const finalPath = join(s3.dir, 'x.zip')
    await writeFile(path, CONTENT)
    const upload = await s3.store.putGrowing({ path, finalPath, uniqueId: UUID, free }, 'x.zip')
    upload.advance(CONTENT.length)
    await until('the parts are freed', () => upload.freedBytes === 2 * PART)
    await finish({ path, finalPath, upload })
    const stored = await s3.store.put(finalPath, 'x.zip')
    expect(stored).toMatchObject({ key: `x-${UUID}.zip`, takenKey: 'x.zip' })
  })

  test('stays whole on the disk while the store is down, and is freed when it is back', async () => {
    await using s3 = await start()
    s3.proxy.inject({ on: 'UploadPart', kind: 'internal-error', times: 4 })
    const path = join(s3.dir, `.${NAME}.part`)
    const finalPath = join(s3.dir, NAME)
    await writeFile(path, CONTENT)
    const store = s3.open({ maxAttempts: 1 })
    await using upload = await store.putGrowing({ path, finalPath, uniqueId: UUID, free }, NAME)
    upload.advance(CONTENT.length)
    await until('a part has failed', () => upload.failure !== undefined)
    expect((await readFile(path)).equals(CONTENT)).toBe(true)
    await until('the parts are freed', () => upload.freedBytes === 2 * PART, 20_000)
    expect(upload.failure).toBeUndefined()
  })

  test('keeps what was not confirmed when it is stopped while the store hangs', async () => {
    await using s3 = await start()
    s3.proxy.inject({ on: 'UploadPart', kind: 'hang', times: 1, part: 3 })
    const file = await growing(s3, s3.open({ idleTimeoutMs: 60_000 }), 1)
    const stopping = performance.now()
    const content = await finish(file)
    expect(performance.now() - stopping).toBeLessThan(1000)
    expect(
      (await readFile(file.finalPath)).subarray(2 * PART).equals(content.subarray(2 * PART)),
    ).toBe(true)
    expect(await s3.store.put(file.finalPath, NAME)).toMatchObject({ parts: 4, keptParts: 1 })
    expect((await readFile(join(s3.objects, NAME))).equals(content)).toBe(true)
  })

  test('leaves no upload when its writer dies and its beginning is uploaded', async () => {
    await using s3 = await start()
    await s3.server.abortUploads()
    const file = await growing(s3, s3.store)
    await file.upload[Symbol.asyncDispose]()
    await dropOrphans(s3.dir, records(s3.dir), [], s3.store)
    expect(await s3.server.uploads()).toHaveLength(1)
    const state = await growingState(file.path, file.finalPath)
    expect(state).toEqual({ isFinished: false, intactBytes: PART })
    // as the agent salvages it
    truncateSync(file.path, PART)
    linkSync(file.path, file.finalPath)
    unlinkSync(file.path)
    expect(await s3.store.put(file.finalPath, NAME)).toMatchObject({ bytes: PART, parts: 0 })
    expect(await s3.server.uploads()).toEqual([])
    expect(records(s3.dir)).toEqual([])
  })

  test('leaves no upload when its writer dies and nothing of the file is left', async () => {
    await using s3 = await start()
    await s3.server.abortUploads()
    const file = await growing(s3, s3.store)
    await file.upload[Symbol.asyncDispose]()
    unlinkSync(file.path)
    await dropOrphans(s3.dir, records(s3.dir), [], s3.store)
    expect(await s3.server.uploads()).toEqual([])
    expect(records(s3.dir)).toEqual([])
  })

  test('is known to be finished when its writer died before it gave it its name', async () => {
    await using s3 = await start()
    const file = await growing(s3, s3.store)
    await file.upload.stop()
    await file.upload.seal()
    await file.upload[Symbol.asyncDispose]()
    const state = await growingState(file.path, file.finalPath)
    expect(state).toEqual({ isFinished: true, intactBytes: PART })
  })

  test('is never uploaded with holes: when its upload was aborted', async () => {
    await using s3 = await start()
    const file = await growing(s3, s3.store)
    await finish(file)
    await s3.server.abortUploads()
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(s3.open().put(file.finalPath, NAME)).rejects.toMatchObject({ code: 'LOST' })
    }
    expect(existsSync(join(s3.objects, NAME))).toBe(false)
  })

  test('is never uploaded with holes: when it was changed', async () => {
    await using s3 = await start()
    const file = await growing(s3, s3.store)
    await finish(file)
    await sleep(10)
    utimesSync(file.finalPath, new Date(), new Date())
    await expect(s3.store.put(file.finalPath, NAME)).rejects.toMatchObject({ code: 'LOST' })
    expect(existsSync(join(s3.objects, NAME))).toBe(false)
  })

  test('is never uploaded with holes: when another content has its key', async () => {
    await using s3 = await start()
    const file = await growing(s3, s3.store)
    await finish(file)
    await s3.occupy(NAME, 'another content')
    await expect(s3.store.put(file.finalPath, NAME)).rejects.toMatchObject({ code: 'LOST' })
    expect(await readFile(join(s3.objects, NAME), 'utf8')).toBe('another content')
  })

  test('is never uploaded with holes: to another prefix, or with larger parts', async () => {
    await using s3 = await start()
    const file = await growing(s3, s3.store)
    const content = await finish(file)
    const other = openDestination('s3://core-dumps/elsewhere', { s3: s3.s3 })
    await expect(other.put(file.finalPath, NAME)).rejects.toMatchObject({ code: 'LOST' })
    await other.close()
    const directory = openDestination(`file:${join(s3.dir, 'copies')}`)
    await expect(directory.put(file.finalPath, NAME)).rejects.toMatchObject({ code: 'LOST' })
    await s3.open({ partBytes: 64 * MIB, checksum: 'supported' }).put(file.finalPath, NAME)
    expect((await readFile(join(s3.objects, NAME))).equals(content)).toBe(true)
  })
})
