import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PROCESS_FILES } from '../process-files.ts'

/** A `/proc` with the files of one process, as of a container's first one. */
export async function scratchProc(root: string, pid: number): Promise<void> {
  const dir = join(root, String(pid))
  await mkdir(dir, { recursive: true })
  for (const file of PROCESS_FILES) await writeFile(join(dir, file), `${file} of ${pid}\n`)
}
