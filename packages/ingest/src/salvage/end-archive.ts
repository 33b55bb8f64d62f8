import { fromOpenEntry, type OpenArchive } from '../zip/open-archive.ts'
import { dataDescriptor } from '../zip/local-header.ts'
import { append, directory } from './archive-end.ts'
import { endOf } from './end-of.ts'
import type { SalvageAddition } from './options.ts'

/**
 * The bytes that end an archive behind `archive.position`: of the entry that is open, of `additions`,
 * and the directory. For archives on a stream, whose entries have data descriptors.
 */
export async function endArchive(
  archive: OpenArchive,
  additions: Iterable<SalvageAddition>,
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  const output = {
    bytes: archive.position,
    write(more: readonly Uint8Array[]): void {
      for (const chunk of more) this.bytes += chunk.length
      chunks.push(...more)
    },
  }
  const records = archive.entries.map(fromOpenEntry)
  if (archive.open !== undefined) {
    const record = fromOpenEntry(archive.open)
    const end = endOf(record.method, Buffer.alloc(0))
    record.compressedBytes += end.reduce((sum, chunk) => sum + chunk.length, 0)
    output.write([...end, dataDescriptor(record)])
    records.push(record)
  }
  const mtime = new Date()
  for (const addition of additions) records.push(await append(output, addition, mtime))
  output.write(directory(records, output.bytes))
  return Buffer.concat(chunks)
}
