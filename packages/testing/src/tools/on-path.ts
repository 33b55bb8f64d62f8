import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { execa } from 'execa'
import type { Tool } from './tool.ts'

/** Path of the first program on PATH that says it is the wanted version. */
export async function findOnPath({
  command,
  args,
  expect,
}: NonNullable<Tool['probe']>): Promise<string | undefined> {
  for (const dir of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(dir, command)
    const executable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (!executable) continue
    // one that cannot say its version is not the one we know
    const { stdout } = await execa(path, args, { timeout: 10_000, reject: false })
    if (expect.test(stdout ?? '')) return path
  }
  return undefined
}
