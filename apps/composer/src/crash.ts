import { constants } from 'node:os'
import type { Arguments } from './arguments/parse.ts'
import type { Problems } from './problems.ts'

/** What the kernel said on the command line; texts are '' and numbers absent when it did not. */
export interface Crash {
  readonly limitSize: string
  readonly exeName: string
  /** Of `exeName`, where it is not UTF-8. */
  readonly commBytes: Buffer | undefined
  readonly pid: string
  readonly signal: string
  readonly signalName: string
  readonly timestamp: string
  readonly hostname: string
  readonly pathname: string
  readonly hostPid: number | undefined
  readonly hostTid: number | undefined
  readonly innerPid: number | undefined
  readonly uid: number | undefined
  readonly gid: number | undefined
  readonly dumpMode: number | undefined
  readonly pidfd: number | undefined
}

export function readCrash({ values, undecoded }: Arguments, problems: Problems): Crash {
  const number = (flag: keyof typeof values): number | undefined => {
    const text = values[flag]
    if (text === undefined || text === '') return undefined
    if (/^\d{1,10}$/.test(text)) return Number(text)
    problems.add('BAD_ARGUMENT', `Expected a number after \`--${flag}\`, got \`${text}\``)
    return undefined
  }
  const hostPid = number('host-pid')
  return {
    limitSize: values['limit-size'] ?? '',
    exeName: values['exe-name'] ?? '',
    commBytes: undecoded['exe-name'],
    pid: values.pid ?? '',
    signal: values.signal ?? '',
    signalName: signalName(number('signal')),
    timestamp: values.timestamp ?? String(Math.floor(Date.now() / 1000)),
    hostname: values.hostname ?? '',
    pathname: values.pathname ?? '',
    // 0 is what a process outside our pid namespace has
    hostPid: hostPid === 0 ? undefined : hostPid,
    hostTid: number('host-tid'),
    innerPid: number('pid'),
    uid: number('uid'),
    gid: number('gid'),
    dumpMode: number('dump-mode'),
    pidfd: number('pidfd'),
  }
}

function signalName(signal: number | undefined): string {
  return Object.entries(constants.signals).find(([, number]) => number === signal)?.[0] ?? ''
}
