import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export const PROCESS_FILES = ['auxv', 'cmdline', 'environ', 'maps', 'status']

/** A `/proc` with the files of one process, as of a container's first one. */
export async function scratchProc(root: string, pid: number): Promise<void> {
  const dir = join(root, String(pid))
  await mkdir(dir, { recursive: true })
  for (const file of PROCESS_FILES) await writeFile(join(dir, file), `${file} of ${pid}\n`)
}
