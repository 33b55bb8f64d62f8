import { execa } from 'execa'

/** The stack of the thread that crashed, as gdb reads it from the core. */
export async function backtrace(program: string, core: string): Promise<string> {
  const { stdout } = await execa('gdb', ['-nx', '-batch', '-ex', 'bt', program, core])
  return stdout
}

/** The length of a core by its program headers, as binutils reads them. */
export async function promisedBytes(core: string): Promise<number> {
  const { stdout } = await execa('readelf', ['-lW', core])
  const ends = stdout
    .split('\n')
    .map((line) => /^\s+[A-Z]+\s+(0x\w+)\s+0x\w+\s+0x\w+\s+(0x\w+)/.exec(line))
    .map((match) => (match ? Number(match[1]) + Number(match[2]) : 0))
  return Math.max(...ends)
}
