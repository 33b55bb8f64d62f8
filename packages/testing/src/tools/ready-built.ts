import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { execa, ExecaError } from 'execa'
import type { Tool } from './tool.ts'

/**
 * Unpack a tool from a folder of `*.xz` files, if all of it is there and is what the pins say.
 * Otherwise the reason is reported and the caller builds the tool.
 */
export async function unpackReadyBuilt(
  tool: Tool,
  from: string,
  folder: string,
  say: (line: string) => void,
): Promise<boolean> {
  try {
    if (tool.archive) {
      await access(join(from, tool.archive))
      await execa('tar', ['-xJf', join(from, tool.archive), '-C', folder, '--strip-components=1'])
      return true
    }
    // the pinned sums, and the files, are those of x64
    if (process.arch !== 'x64' || Object.keys(tool.files).length === 0) return false
    for (const [file, expected] of Object.entries(tool.files)) {
      if (expected === undefined) return false
      const path = join(folder, file)
      await unpack(join(from, `${file}.xz`), path)
      const actual = await sha256(path)
      if (actual !== expected) {
        say(`not using ${file}.xz: its SHA-256 is ${actual}, pinned is ${expected}`)
        return false
      }
      await chmod(path, 0o755)
    }
    return true
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT'))
      say(`not using ${from}: ${reasonOf(error)}`)
    return false
  }
}

/** Without the output of the program, which may be binary. */
function reasonOf(error: unknown): string {
  return error instanceof ExecaError ? error.shortMessage : String(error)
}

async function unpack(archive: string, path: string): Promise<void> {
  await access(archive)
  // a tool may have more bytes than execa keeps of an output
  await execa('xz', ['-dc', archive], { stdout: { file: path }, buffer: false })
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}
