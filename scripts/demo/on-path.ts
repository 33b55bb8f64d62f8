import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((dir) => existsSync(join(dir, program)))
}
