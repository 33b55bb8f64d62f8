/** Notes of a core that a report or a minicore uses; elf.h. */
export const NT = {
  PRSTATUS: 1,
  PRPSINFO: 3,
  AUXV: 6,
  SIGINFO: 0x53494749,
  FILE: 0x46494c45,
  ARM_TLS: 0x401,
  ARM_PAC_MASK: 0x406,
} as const

/** Entries of the auxiliary vector; getauxval(3). */
export const AT = {
  PHDR: 3,
  PAGESZ: 6,
  BASE: 7,
  ENTRY: 9,
  RANDOM: 25,
  SYSINFO_EHDR: 33,
} as const

const OF_CORE: ReadonlySet<number> = new Set([
  NT.PRSTATUS,
  NT.PRPSINFO,
  NT.AUXV,
  NT.SIGINFO,
  NT.FILE,
])
const OF_LINUX: ReadonlySet<number> = new Set([NT.ARM_TLS, NT.ARM_PAC_MASK])

/** Not the vector registers: they hold the last strings that were copied, and 3 KB of each thread. */
export function isKeptNote(owner: string, type: number): boolean {
  return (owner === 'CORE' && OF_CORE.has(type)) || (owner === 'LINUX' && OF_LINUX.has(type))
}
