import { closeSync, openSync } from 'node:fs'
import {
  CrashAnalysis,
  createMinicore,
  createReport,
  formatReport,
  openCoreFile,
  openModuleFiles,
  readWindows,
  type CoreFacts,
  type MemoryReader,
  type Report,
  type Stack,
  type WindowLimits,
} from '@core-dump-handler/report'

export interface AnalyzedCore {
  readonly analysis: CrashAnalysis
  readonly facts: CoreFacts
  readonly stacks: readonly (Stack | undefined)[]
  readonly report: Report
  readonly text: string
  readonly minicore: Buffer
}

export interface AnalyzeOptions {
  /** Only these windows of the stacks are there, as in a crash that is captured. */
  readonly limits?: WindowLimits
  /** Of the modules. @default '/' */
  readonly root?: string
  /** @default 60000: a busy machine is no hostile input */
  readonly timeoutMs?: number
}

/** All steps of an analysis of a core file. */
export function analyzeCore(path: string, options: AnalyzeOptions = {}): AnalyzedCore {
  const fd = openSync(path, 'r')
  try {
    const core = openCoreFile(fd)
    if (core === undefined) throw new Error(`${path} is no core`)
    const { facts } = core
    const memory = options.limits ? readWindows(facts, core.memory, options.limits) : core.memory
    return analyze(facts, memory, options)
  } finally {
    closeSync(fd)
  }
}

/** The same of a core that was read in another way. */
export function analyze(
  facts: CoreFacts,
  memory: MemoryReader,
  { root = '/', timeoutMs = 60_000 }: AnalyzeOptions = {},
): AnalyzedCore {
  const files = openModuleFiles({ root, followLinks: true })
  try {
    const openModule = files.open
    const analysis = new CrashAnalysis({ facts, memory, openModule, budget: { timeoutMs } })
    analysis.unwindCrashingThread()
    analysis.unwindAllThreads()
    analysis.nameFrames()
    const report = createReport(analysis)
    const minicore = createMinicore(analysis) ?? Buffer.alloc(0)
    return {
      analysis,
      facts,
      stacks: analysis.stacks,
      report,
      text: formatReport(report),
      minicore,
    }
  } finally {
    files.close()
  }
}

/** The names of the frames of a stack, `??` where there is none. */
export function symbolsOf(stack: Stack | undefined): string[] {
  return (stack?.frames ?? []).map(({ symbol }) => symbol ?? '??')
}

/** The code addresses of a stack, in hex. */
export function pcsOf(stack: Stack | undefined): string[] {
  return (stack?.frames ?? []).map(({ pc }) => `0x${pc.toString(16)}`)
}
