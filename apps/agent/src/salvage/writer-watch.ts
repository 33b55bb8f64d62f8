import type { BigIntStats } from 'node:fs'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { basename, join } from 'node:path'

export interface WriterWatchOptions {
  /** Where the node's `/proc` is. */
  readonly procRoot: string
  /** Longest life of a composer: its time limit and what it is given to end. */
  readonly maxLifeMs: number
  /** A file written to within this time is left alone in any case. */
  readonly quietMs: number
  /** The receiver of this node while it answers: it outlives every bundle, and reports which it writes. */
  readonly receiver?: () => { readonly pid: number; readonly parts: readonly string[] } | undefined
}

interface Sight {
  /** What changes with each write. */
  readonly state: string
  readonly sinceMs: number
  /** The composers that ran when it was seen so: its writer is among them, if it runs. */
  readonly suspects: readonly ProcessId[]
}

/**
 * Finds unfinished files whose writer is dead. Their writer has started before the file was seen:
 * once every composer that ran then has ended, no process can write it any more. This trusts no
 * clock of the machine and asks nothing of the composer. Where processes cannot be seen, the file
 * must have stayed unchanged for longer than a composer may run.
 */
export class WriterWatch {
  readonly #options: WriterWatchOptions
  #sights = new Map<string, Sight>()

  constructor(options: WriterWatchOptions) {
    this.#options = options
  }

  /** Which of these files have no writer; call it with all that are there. */
  async abandoned(files: ReadonlyMap<string, BigIntStats>): Promise<readonly string[]> {
    const { procRoot, maxLifeMs, quietMs } = this.#options
    const seesAll = await seesAllProcesses(procRoot)
    // after the files were listed: the writer of each is among these
    const all = files.size > 0 ? await runningComposers(procRoot) : new Set<ProcessId>()
    const receiver = this.#options.receiver?.()
    const running = new Set(
      [...all].filter((id) => receiver === undefined || !id.startsWith(`${receiver.pid}:`)),
    )
    const now = performance.now()
    const sights = new Map<string, Sight>()
    const abandoned: string[] = []
    for (const [name, stats] of files) {
      const state = stateOf(stats)
      const before = this.#sights.get(name)
      const sight =
        before?.state === state ? before : { state, sinceMs: now, suspects: [...running] }
      sights.set(name, sight)
      const unchangedMs = now - sight.sinceMs
      const isDead = seesAll
        ? !sight.suspects.some((suspect) => running.has(suspect))
        : unchangedMs > maxLifeMs
      const isQuiet = unchangedMs >= quietMs || Date.now() - Number(stats.mtimeMs) >= quietMs
      if (receiver?.parts.includes(name) === true) continue
      if (isDead && isQuiet) abandoned.push(name)
    }
    this.#sights = sights
    return abandoned
  }
}

function stateOf({ dev, ino, size, mtimeNs, ctimeNs, birthtimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs, birthtimeNs].join(' ')
}

/** The composer as it is installed, as a person calls it, and from its sources; and the receiver. */
const COMPOSER = /^(cdc|composer|core-dump-composer|receiver|core-dump-receiver)(\.[cm]?[jt]s)?$/
/** Node and its options may precede it. */
const INTERPRETER = /^node/
const MAX_WORDS = 8
const RECEIVER_HELPER = 'helper'
/** PROC_PID_INIT_INO of the kernel: the pid namespace in which it starts its handlers. */
const HOST_PID_NAMESPACE = 'pid:[4026531836]'

/** A process for as long as it lives: a pid is used again, but not with the same start time. */
type ProcessId = `${number}:${string}`

/** Whether all processes of this machine are in `/proc`: not so in a pod without `hostPID`. */
async function seesAllProcesses(procRoot: string): Promise<boolean> {
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
