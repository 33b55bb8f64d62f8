import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'

const CACHE = new URL('../../.cache/victims/', import.meta.url).pathname

/** Path of a program of `integration/victims`, compiled once per version of its source. */
export function victim(name: 'crasher' | 'pause' | 'reuse'): string {
  const source = new URL(`../victims/${name}.c`, import.meta.url).pathname
  const version = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12)
  const program = `${CACHE}${name}-${version}`
  if (!existsSync(program)) {
    mkdirSync(CACHE, { recursive: true })
    const unfinished = `${program}.${process.pid}`
    execFileSync('gcc', ['-O1', '-g', '-static', '-pthread', '-o', unfinished, source])
    renameSync(unfinished, program)
  }
  return program
}
