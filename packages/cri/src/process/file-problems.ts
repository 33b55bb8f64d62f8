import { type Problem, problem } from '../problem.ts'

export function unreadable(name: string, pid: number, why: unknown): Problem {
  const reason = why instanceof Error ? why.message : String(why)
  return problem('PROCESS_FILE_UNREADABLE', `Cannot read \`${name}\` of process ${pid}: ${reason}`)
}

export function truncated(name: string, pid: number, maxBytes: number): Problem {
  const message = `\`${name}\` of process ${pid} is larger than ${maxBytes} bytes; the rest is cut off`
  return problem('PROCESS_FILE_TRUNCATED', message)
}
