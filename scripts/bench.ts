import { globSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { handOver } from './set-up/pinned-node.mjs'
import { ROOT } from './set-up/root.mjs'

/** What can be measured, and the program that does: a package's own, or one of the whole chain. */
const PROGRAMS = new Map(
  globSync(['{packages,apps}/*/bench/main.ts', 'integration/bench/*.ts'], { cwd: ROOT })
    .toSorted()
    .map((path) => [nameOf(path), join(ROOT, path)]),
)

const USAGE = `Usage: npm run bench [-- NAME [options of its program]]

Runs one benchmark, or all: ${[...PROGRAMS.keys()].join(', ')}.
\`npm run bench -- NAME --help\` tells the options of one.
`

const [first = '', ...rest] = process.argv.slice(2)
const chosen = PROGRAMS.get(first)

if (chosen !== undefined) {
  process.exitCode = await bench(chosen, rest)
} else if (first === '' || (first.startsWith('-') && first !== '--help')) {
  for (const program of PROGRAMS.values()) {
    process.exitCode = await bench(program, process.argv.slice(2))
    if (process.exitCode !== 0) break
  }
} else {
  process.stderr.write(USAGE)
  process.exitCode = first === '--help' ? 0 : 2
}

async function bench(program: string, args: readonly string[]): Promise<number> {
  const load = loadavg()[0]?.toFixed(1)
  // on standard error: a program's --json stays clean
  process.stderr.write(
    `── ${nameOf(program)}: ${availableParallelism()} × ${cpus()[0]?.model}, Linux ${release()}, Node ${process.version}, load ${load}\n`,
  )
  return handOver(process.execPath, ['--conditions=@core-dump-handler/source', program, ...args])
}

function nameOf(path: string): string {
  const name = basename(path, '.ts')
  return name === 'main' ? basename(dirname(dirname(path))) : name
}
