import { readdir, readFile, readlink } from 'node:fs/promises'
import { basename, join } from 'node:path'

/** The composer as it is installed, as a person calls it, and from its sources; and the receiver. */
const COMPOSER = /^(cdc|composer|core-dump-composer|receiver|core-dump-receiver)(\.[cm]?[jt]s)?$/
/** Node and its options may precede it. */
const INTERPRETER = /^node/
const MAX_WORDS = 8
const RECEIVER_HELPER = 'helper'
/** PROC_PID_INIT_INO of the kernel: the pid namespace in which it starts its handlers. */
const HOST_PID_NAMESPACE = 'pid:[4026531836]'

/** A process for as long as it lives: a pid is used again, but not with the same start time. */
export type ProcessId = `${number}:${string}`

/** Whether all processes of this machine are in `/proc`: not so in a pod without `hostPID`. */
export async function seesAllProcesses(procRoot: string): Promise<boolean> {
  const namespace = await readlink(join(procRoot, 'self/ns/pid')).catch(() => '')
  return namespace === HOST_PID_NAMESPACE
}

/**
 * The running composers, by their command lines, which any process may read: an agent without
 * capabilities may not read the open files of a process that has some, ptrace(2). Processes in a
 * container do not count, because they can choose any name.
 */
export async function runningComposers(procRoot: string): Promise<ReadonlySet<ProcessId>> {
  const found = new Set<ProcessId>()
  for (const name of await readdir(procRoot)) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue
    try {
      const dir = join(procRoot, name)
      // first: a command line is read from the memory of the process, and a hostile process can block that
      if (isContained(await readFile(join(dir, 'status'), 'latin1'))) continue
      if (!isComposer(await readFile(join(dir, 'cmdline'), 'latin1'))) continue
      found.add(`${Number(name)}:${startTime(await readFile(join(dir, 'stat'), 'latin1'))}`)
    } catch {
      // it has ended meanwhile
    }
  }
  return found
}

/** What is run is the first word, or, by Node, the first that is no option nor the value of one. */
function isComposer(cmdline: string): boolean {
  const [program = '', ...words] = cmdline.split('\0', MAX_WORDS)
  // the receiver's child writes no bundle, and lives as long as the receiver
  if (words.includes(RECEIVER_HELPER)) return false
  if (isNamedSo(program)) return true
  if (!INTERPRETER.test(basename(program))) return false
  let mayBeValue = false
  for (const word of words) {
    if (word.startsWith('-')) mayBeValue = !word.includes('=')
    else if (isNamedSo(word)) return true
    else if (mayBeValue) mayBeValue = false
    else return false
  }
  return false
}

/** A title that a program gave itself has spaces, our path has none: core(5) splits the pattern at them. */
function isNamedSo(word: string): boolean {
  return COMPOSER.test(basename(word)) && !/\s/.test(word)
}

/** It has another pid in a namespace of its own: NSpid lists one for each, proc_pid_status(5). */
function isContained(status: string): boolean {
  return /^NSpid:\t\d+\t/m.test(status)
}

/** Field 22 of proc_pid_stat(5); a zombie has ended too. */
function startTime(stat: string): string {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state = '', start = ''] = [fields[0], fields[19]]
  if (state === 'Z' || state === 'X') throw new Error('It has ended')
  return start
}
