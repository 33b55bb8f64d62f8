import { open } from 'node:fs/promises'
import { release } from 'node:os'
import { FRAME, FRAMES_MAGIC, FrameReader } from '@core-dump-handler/composer'
import { crashOf, parseDumpInfo } from '../salvage/crash-facts.ts'
import { writeRecord } from '../spool/write-record.ts'
import { agentVersion } from '../version.ts'
import { parseHello } from './messages.ts'

const HEAD_BYTES = 1024 * 1024

export interface Loss {
  readonly error: unknown
  /** Where what is left of the archive is now. */
  readonly url: string
  readonly nodeName: string
}

/** A bundle without a core that says what became of the one whose rest is at `path`; resolves with its file name. */
export async function recordLoss(
  directory: string,
  path: string,
  { error, url, nodeName }: Loss,
): Promise<string> {
  const hello = await helloOf(path)
  const info = parseDumpInfo(Buffer.from(hello.dumpInfo))
  const why = error instanceof Error ? error.message : String(error)
  const reason = `The bundle went straight to the store, which does not have its beginning any more: ${why}. What was left of it is in ${url}, as frames of the composer`
  return writeRecord(directory, {
    name: `${hello.name}-lost`,
    reason,
    reasonCode: 'CORE_LOST_IN_STORE',
    dumpInfo: hello.dumpInfo,
    manifest: {
      schema: 'core-dump-handler/bundle@1',
      composer: agentVersion(),
      node: { hostname: info.node_hostname || nodeName, kernel: release() },
      crash: crashOf(info, new Date(hello.startedMs)),
      identity: {
        status: 'unverified',
        reason: 'whose crash it was is told by the part that was lost',
      },
      timings: { heldMs: 0, lookupMs: 0, totalMs: 0 },
      problems: [{ code: 'CORE_LOST_IN_STORE', message: reason }],
    },
  })
}

async function helloOf(
  path: string,
): ReturnType<typeof parseHello> extends infer T ? Promise<T> : never {
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
  const frames = new FrameReader().push(buffer.subarray(FRAMES_MAGIC.length, bytesRead))
  for (const { type, content } of frames) if (type === FRAME.hello) return parseHello(content)
  throw new Error(`\`${path}\` does not begin as the rest of a bundle does`)
}
