// One analysis of one core in a fresh process, as after a crash; see README.md for how to run it.
import { closeSync, openSync, readFileSync } from 'node:fs'
import {
  CrashAnalysis,
  createMinicore,
  createReport,
  formatReport,
  openCoreFile,
  openModuleFiles,
  readWindows,
} from '@core-dump-handler/report'

/** Of this process; MiB. */
function anonymousMemory(): number {
  const status = readFileSync('/proc/self/status', 'latin1')
  return Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
}

const path = process.argv[2]
if (path === undefined) throw new Error('analyze.ts needs the path of a core')
const before = anonymousMemory()
const times: [step: string, ms: number, grownMiB: number][] = []
let last = performance.now()
function time<T>(step: string, run: () => T): T {
  const result = run()
  const now = performance.now()
  times.push([step, now - last, anonymousMemory() - before])
  last = performance.now()
  return result
}

const fd = openSync(path, 'r')
const files = openModuleFiles({ followLinks: true })
const core = openCoreFile(fd)
if (core === undefined) throw new Error(`${path} is no core`)
const { facts } = core
time('notes', () => facts.threads.length)
const memory = time('windows', () => readWindows(facts, core.memory))
time('files', () => files.openAll(facts.mappings))
const analysis = time(
  'modules',
  () => new CrashAnalysis({ facts, memory, openModule: files.open, budget: { timeoutMs: 60_000 } }),
)
time('crashing', () => analysis.unwindCrashingThread())
time('all', () => analysis.unwindAllThreads())
time('names', () => analysis.nameFrames())
const report = time('report', () => createReport(analysis))
const text = time('text', () => formatReport(report))
const minicore = time('minicore', () => createMinicore(analysis))
const frames = analysis.stacks.reduce((sum, stack) => sum + (stack?.frames.length ?? 0), 0)
const milliseconds = Object.fromEntries(times.map(([step, ms]) => [step, Number(ms.toFixed(1))]))
const grownMiB = Object.fromEntries(
  times.map(([step, , grown]) => [step, Number(grown.toFixed(1))]),
)
console.log(
  JSON.stringify({
    threads: facts.threads.length,
    frames,
    milliseconds,
    jsonBytes: Buffer.byteLength(JSON.stringify(report)),
    textBytes: Buffer.byteLength(text),
    minicoreBytes: minicore?.length ?? 0,
    windowBytes: memory.bytes,
    grownMiB,
  }),
)
files.close()
closeSync(fd)
