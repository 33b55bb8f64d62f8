import { constants } from 'node:os'
import type { Arguments } from '../arguments/parse.ts'
import type { Problems } from '../log/problems.ts'

/** What the kernel said on the command line; texts are '' and numbers absent when it did not. */
export interface Crash {
  readonly limitSize: string
  readonly exeName: string
  /** Of `exeName`, where it is not UTF-8. */
  readonly commBytes: Buffer | undefined
  readonly pid: string
  readonly signal: string
  readonly signalName: string
  /** Seconds since the epoch; of now where the kernel did not say. */
  readonly timestamp: string
  /** What the kernel itself said of the time (`%t`): nothing else can prove whose crash it is. */
  readonly timestampTold: number | undefined
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
    timestampTold: number('timestamp'),
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

/** ` of …` for a log line, as far as the kernel said what crashed; '' by hand. */
export function ofWhichCrash({ values }: Arguments): string {
  const known = [
    values['exe-name'] && `\`${values['exe-name']}\``,
    values.signal && `signal ${values.signal}`,
    values['host-pid'] && `host pid ${values['host-pid']}`,
    values.hostname && `host name \`${values.hostname}\``,
    values.timestamp && `at ${values.timestamp}`,
  ].filter(Boolean)
  return known.length === 0 ? '' : ` of ${known.join(', ')}`
}

function signalName(signal: number | undefined): string {
  return Object.entries(constants.signals).find(([, number]) => number === signal)?.[0] ?? ''
}
