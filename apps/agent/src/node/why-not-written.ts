import { AgentError } from '../error.ts'

const WORDS: Readonly<Record<string, string>> = {
  EROFS: 'is on a read-only file system; choose a directory that can be written',
  ENOSPC: 'is on a file system that is full; make room there, or choose another directory',
  EDQUOT: 'is on a file system whose quota is used up; choose another directory',
  EACCES: 'may not be written: SELinux, AppArmor or the owner of the directory denies it',
  EPERM: 'may not be written: SELinux, AppArmor or an attribute of the directory denies it',
  ENOTDIR: 'lies below something that is no directory',
  EEXIST: 'is no directory',
}

/** The error of a write below `dir` in words; what has words already stays as it is. */
export function whyNotWritten(dir: string, cause: unknown): Error {
  const root = rootOf(cause)
  const code = 'code' in root ? String(root.code) : ''
  const words = WORDS[code]
  if (words === undefined) return cause instanceof Error ? cause : root
  return new AgentError('DEPLOY', `The directory \`${dir}\` ${words} (${root.message})`, { cause })
}

function rootOf(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error))
  return error.cause instanceof Error ? rootOf(error.cause) : error
}
