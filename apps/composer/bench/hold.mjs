// How long a small crash holds its process: `node bench/hold.mjs [--runs 15] [--mib 1.5]`.
// The core comes through a real pipe. Wall: from the start of the program to its end; held: its
// own figure, until fd 0 was closed. Beside it, what this Node costs when it does nothing, or
// only reads and drops: the part that no composer can be faster than.
import { execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  write,
  writeFileSync,
} from 'node:fs'
import { availableParallelism, loadavg, release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { elfCore } from '@core-dump-handler/testing/composer/elf-core'

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '15' }, mib: { type: 'string', default: '1.5' } },
})
const core = elfCore(Math.round(Number(values.mib) * 1024 * 1024))
const dir = mkdtempSync(join(tmpdir(), 'composer-bench-'))
const fifo = join(dir, 'fifo')
const programs = {
  'empty Node': [join(dir, 'empty.cjs')],
  'read and drop': [join(dir, 'drop.cjs')],
  composer: [new URL('../dist/cdc.cjs', import.meta.url).pathname],
  'composer, store': [new URL('../dist/cdc.cjs', import.meta.url).pathname, '-D'],
}
writeFileSync(join(dir, 'empty.cjs'), '')
writeFileSync(
  join(dir, 'drop.cjs'),
  `const b = Buffer.alloc(1 << 20); while (require('fs').readSync(0, b) > 0);`,
)
execFileSync('mkfifo', [fifo])

const writeAll = promisify(write)

async function run(program) {
  const home = join(dir, 'home')
  rmSync(home, { recursive: true, force: true })
  mkdirSync(home)
  // read-write, so that neither end waits for the other
  const both = openSync(fifo, 'r+')
  const [reader, writer] = [openSync(fifo, 'r'), openSync(fifo, 'w')]
  const started = performance.now()
  const child = spawn(process.execPath, [...program, '-e=bench', '-s=11', '-p=1', '-t=1', '-h=h'], {
    stdio: [reader, 'ignore', 'ignore'],
    env: { COMPOSER_HOME: home, CORE_DIR: home, IGNORE_CRIO: 'true' },
  })
  const ended = new Promise((resolve) => child.on('exit', resolve))
  closeSync(reader)
  closeSync(both)
  try {
    for (let at = 0; at < core.length; at += 4096)
      await writeAll(writer, core.subarray(at, at + 4096))
  } catch (error) {
    // a program that does not read is one of those measured
    if (error.code !== 'EPIPE') throw error
  }
  closeSync(writer)
  await ended
  const wall = performance.now() - started
  const held = program.length > 0 && /held (\d+) ms/.exec(readLog(home))?.[1]
  return { wall, held: held ? Number(held) : undefined }
}

function readLog(home) {
  try {
    return readFileSync(join(home, 'composer.log'), 'utf8')
  } catch {
    return ''
  }
}

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1]
const results = new Map(Object.keys(programs).map((name) => [name, []]))
try {
  for (let round = 0; round < Number(values.runs); round++) {
    for (const [name, program] of Object.entries(programs))
      results.get(name).push(await run(program))
  }
} finally {
  rmSync(dir, { recursive: true })
}
console.log(
  `Node ${process.versions.node}, Linux ${release()}, ${availableParallelism()} CPUs, load ${loadavg()[0].toFixed(1)}, ${core.length} bytes`,
)
for (const [name, list] of results) {
  const walls = list.map(({ wall }) => wall)
  const holds = list.map(({ held }) => held).filter((held) => held !== undefined)
  const figures = `wall median ${median(walls).toFixed(0)} ms, least ${Math.min(...walls).toFixed(0)}`
  const held =
    holds.length > 0 ? `; held median ${median(holds)} ms, least ${Math.min(...holds)}` : ''
  console.log(`${name.padEnd(16)} ${figures}${held}`)
}
