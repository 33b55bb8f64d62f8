/** Signals of Linux by number; signal(7). */
const SIGNALS =
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'.split(
    ' ',
  )

/** si_code of faults, from 1 on; sigaction(2). */
const FAULT_CODES: Readonly<Record<number, readonly string[]>> = {
  4: 'ILLOPC ILLOPN ILLADR ILLTRP PRVOPC PRVREG COPROC BADSTK'
    .split(' ')
    .map((name) => `ILL_${name}`),
  5: 'BRKPT TRACE BRANCH HWBKPT UNK PERF'.split(' ').map((name) => `TRAP_${name}`),
  7: 'ADRALN ADRERR OBJERR MCEERR_AR MCEERR_AO'.split(' ').map((name) => `BUS_${name}`),
  8: 'INTDIV INTOVF FLTDIV FLTOVF FLTUND FLTRES FLTINV FLTSUB'
    .split(' ')
    .map((name) => `FPE_${name}`),
  11: 'MAPERR ACCERR BNDERR PKUERR ACCADI ADIDERR ADIPERR MTEAERR MTESERR CPERR'
    .split(' ')
    .map((name) => `SEGV_${name}`),
  31: ['SYS_SECCOMP', 'SYS_USER_DISPATCH'],
}

const SENT_CODES: ReadonlyMap<number, string> = new Map([
  [0, 'SI_USER'],
  [-1, 'SI_QUEUE'],
  [-2, 'SI_TIMER'],
  [-3, 'SI_MESGQ'],
  [-4, 'SI_ASYNCIO'],
  [-5, 'SI_SIGIO'],
  [-6, 'SI_TKILL'],
  [0x80, 'SI_KERNEL'],
])

export function signalName(signal: number): string | undefined {
  const name = SIGNALS[signal - 1]
  return name === undefined ? undefined : `SIG${name}`
}

export function signalCodeName(signal: number, code: number): string | undefined {
  return SENT_CODES.get(code) ?? FAULT_CODES[signal]?.[code - 1]
}
