import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, chmod, open } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { run } from './run.ts'
import type { Tool } from './tool.ts'

/**
 * Unpack a tool from a folder of `*.xz` files, if all of it is there and is what the pins say.
 * Anything else is said and leaves the way open to building it.
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
      await run('tar', ['-xJf', join(from, tool.archive), '-C', folder, '--strip-components=1'])
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
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      say(`not using ${from}: ${String(error)}`)
    return false
  }
}

async function unpack(archive: string, path: string): Promise<void> {
  await access(archive)
  const output = await open(path, 'w', 0o755)
  try {
    const xz = spawn('xz', ['-dc', archive], { stdio: ['ignore', output.fd, 'pipe'] })
    let complaint = ''
    xz.stderr?.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
    const code = await new Promise((resolve, reject) => xz.on('error', reject).on('close', resolve))
    if (code !== 0)
      throw new Error(`\`xz -dc ${archive}\` ended with ${String(code)}: ${complaint.trim()}`)
  } finally {
    await output.close()
  }
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}
