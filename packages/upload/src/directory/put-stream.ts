import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { throwIfAborted } from '../abortable.ts'
import { counted } from '../counted.ts'
import type { PutStreamOptions, Stored } from '../destination.ts'
import { UploadError } from '../error.ts'
import { appendToKey } from '../key.ts'
import { show } from '../text.ts'
import { newPart, writeFully, writePart } from './part-file.ts'
import { ensureDirectory, publish } from './publish.ts'

/** Write a stream of unknown length below `root`; nothing is left of one that breaks off. */
export async function putStream(
  root: string,
  source: Readable | AsyncIterable<Uint8Array>,
  key: string,
  { signal, onProgress, maxBytes = Infinity, uniqueId = randomUUID() }: PutStreamOptions,
): Promise<Stored> {
  const target = join(root, key)
  const part = newPart(target)
  await ensureDirectory(dirname(target))
  let bytes = 0
  await writePart(part, async (file) => {
    for await (const chunk of counted(source, maxBytes, onProgress)) {
      throwIfAborted(signal)
      await writeFully(file, chunk, bytes)
      bytes += chunk.length
    }
    throwIfAborted(signal)
    const { size } = await file.stat()
    if (size !== bytes) throw short(part, size, bytes)
  })
  for (const wanted of [key, appendToKey(key, uniqueId)]) {
    const path = join(root, wanted)
    if (!(await publish(part, path))) continue
    const taken = wanted === key ? {} : { takenKey: key }
    return {
      url: pathToFileURL(path).href,
      key: wanted,
      bytes,
      outcome: 'stored',
      parts: 0,
      keptParts: 0,
      ...taken,
    }
  }
  await rm(part, { force: true })
  throw new UploadError('OCCUPIED', `${show(target)} and the name made from it are taken`, {
    subject: target,
  })
}

function short(subject: string, size: number, bytes: number): UploadError {
  return new UploadError(
    'MISMATCH',
    `${show(subject)} has ${size} of ${bytes} bytes: check the disk`,
    {
      subject,
    },
  )
}
