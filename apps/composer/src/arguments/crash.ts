import { type Crash, createCrash, type Warnings } from '@core-dump-handler/capture'
import type { Arguments, FlagName } from './parse.ts'

/** What the kernel passed on the command line. */
export function crashOfArguments(args: Arguments, warnings: Warnings): Crash {
  const { values, undecoded } = args
  const number = (flag: FlagName): number | undefined => numberAfter(flag, args, warnings)
  const hostPid = number('host-pid')
  const signal = number('signal')
  return {
    ...createCrash({ signal: String(signal ?? '') }),
    limitSize: values['limit-size'] ?? '',
    exeName: values['exe-name'] ?? '',
    commBytes: undecoded['exe-name'],
    pid: values.pid ?? '',
    signal: values.signal ?? '',
    ...(values.timestamp !== undefined && { timestamp: values.timestamp }),
    kernelTimestamp: number('timestamp'),
    hostname: values.hostname ?? '',
    pathname: values.pathname ?? '',
    // 0: the process is outside of our pid namespace
    hostPid: hostPid === 0 ? undefined : hostPid,
    hostTid: number('host-tid'),
    innerPid: number('pid'),
    uid: number('uid'),
    gid: number('gid'),
    dumpMode: number('dump-mode'),
    pidfd: number('pidfd'),
  }
}

/** The number after a flag; undefined, with a warning, when it is none. */
export function numberAfter(
  flag: FlagName,
  { values }: Arguments,
  warnings: Warnings,
  valid: RegExp = /^\d{1,10}$/,
): number | undefined {
  const text = values[flag]
  if (text === undefined || text === '') return undefined
  if (valid.test(text)) return Number(text)
  warnings.add('BAD_ARGUMENT', `Expected a number after \`--${flag}\`, got \`${text}\``)
  return undefined
}
