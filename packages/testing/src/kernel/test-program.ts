import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { execaSync } from 'execa'

const SOURCES = new URL('../programs/', import.meta.url).pathname
const CACHE = new URL('../../../../.cache/programs/', import.meta.url).pathname

/** Path of a program of `programs/`, compiled once per version of its source. */
export function testProgram(name: 'crasher' | 'pause' | 'reuse'): string {
  const source = `${SOURCES}${name}.c`
  const version = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12)
  const program = `${CACHE}${name}-${version}`
  if (!existsSync(program)) {
    mkdirSync(CACHE, { recursive: true })
    const unfinished = `${program}.${process.pid}`
    execaSync('gcc', ['-O1', '-g', '-static', '-pthread', '-o', unfinished, source])
    renameSync(unfinished, program)
  }
  return program
}

/** Run a program on this machine until it has crashed, and return the pid it had. */
export async function runUntilCrash(command: string, args: readonly string[]): Promise<number> {
  // its cwd and descriptors are seen in its bundle: nothing of execa's may be among them
  const child = spawn(command, args, { stdio: 'ignore' })
  await once(child, 'exit')
  return child.pid ?? 0
}
