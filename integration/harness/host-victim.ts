import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** Run a program on this machine until it dies, and return what its pid was. */
export async function runToDeath(command: string, args: readonly string[]): Promise<number> {
  const child = spawn(command, args, { stdio: 'ignore' })
  await once(child, 'exit')
  return child.pid ?? 0
}
